import { beforeAll, expect, test } from "vitest";
import { chartWith } from "./support/charts.ts";
import { inputsFor, useCluster } from "./support/cluster.ts";
import type { StepResult } from "./support/job.ts";

const INGRESS = "my-release-milvus";
/**
 * The value with the time after which the query node's pods are ready. Those of the proxy are ready at once.
 */
const QUERY_NODE_READY = "queryNodeReady";

const cluster = useCluster();
/** A chart whose query node takes its time from revision 2 on. */
let chart: string;
beforeAll(async () => {
  chart = await chartWith(
    cluster,
    "templates/_helpers.tpl",
    "        checksum/config:",
    `        {{- if and (eq .component "querynode") .root.Values.${QUERY_NODE_READY} .root.Release.IsUpgrade }}\n` +
      `        local-gke/ready-after: {{ .root.Values.${QUERY_NODE_READY} }}\n` +
      "        {{- end }}\n        checksum/config:",
  );
});

async function deploy(namespace: string, ready: string, inputs: Record<string, string>): Promise<StepResult> {
  await cluster.installSmall(namespace, {
    cluster: { enabled: true },
    etcd: { enabled: false },
    [QUERY_NODE_READY]: ready,
  });
  const job = await cluster.job();
  return job.main({ ...inputsFor(namespace), chart, ...inputs });
}

test("the load balancer is made as soon as the pods behind the Service are replaced", async () => {
  const namespace = "beside-rollout";
  const result = await deploy(namespace, "5s", { keep_layer4: "true" });
  expect(result.errors, result.lines.join("\n")).toEqual([]);

  const writes = await cluster.writes(namespace);
  const ingress = writes.indexOf(`patch ingresses/${INGRESS}`);
  // Helm writes it once more when all pods are ready.
  const revision = writes.lastIndexOf("update secrets/sh.helm.release.v1.my-release.v2");
  expect(ingress, writes.join("\n")).toBeGreaterThan(-1);
  expect(ingress).toBeLessThan(revision);
  expect(result.lines).toContain("The load balancer's objects were applied beside the rollout.");
});

test("a rollout that fails takes the load balancer back that was made beside it", async () => {
  const namespace = "taken-back";
  const result = await deploy(namespace, "1h", { keep_layer4: "true", helm_timeout: "20s" });
  expect(result.exitCode).toBe(1);

  const writes = await cluster.writes(namespace);
  expect(writes, result.lines.join("\n")).toContain(`patch ingresses/${INGRESS}`);
  const [error = ""] = result.errors;
  expect(error).toMatch(
    /What this run had made of the load balancer is deleted again: Ingress my-release-milvus, /,
  );
  expect(error).toContain("Release my-release was rolled back to revision 1.");
  expect(error).toMatch(/The layer-4 load balancer.* still stands/);
  const left = await cluster.kubectl(
    "get",
    "ingresses,backendconfigs,secrets",
    "-n",
    namespace,
    "-o",
    "name",
  );
  expect(
    left
      .trim()
      .split("\n")
      .filter((name) => !name.includes("sh.helm.release")),
  ).toEqual([]);
  expect(await cluster.revisions(namespace)).toEqual(["superseded", "failed", "deployed"]);
});

test("the health check of a load balancer is mended before pods wait for it", async () => {
  const namespace = "mended-first";
  await cluster.installSmall(namespace);
  const given = inputsFor(namespace);
  const first = await (await cluster.job()).main(given);
  expect(first.errors, first.lines.join("\n")).toEqual([]);
  const wrong = '{"spec":{"healthCheck":{"requestPath":"/nowhere"}}}';
  await cluster.kubectl(
    ...["patch", "backendconfig", "my-release-backendconfig", "-n", namespace, "--type=merge", "-p", wrong],
  );

  const values = "annotations:\n  example.com/restarted: again\n";
  const second = await (await cluster.job()).main({ ...given, values, helm_timeout: "60s" });
  expect(second.errors, second.lines.join("\n")).toEqual([]);
  const writes = await cluster.writes(namespace);
  const mended = writes.lastIndexOf("patch backendconfigs/my-release-backendconfig");
  expect(mended, writes.join("\n")).toBeLessThan(
    writes.indexOf("create secrets/sh.helm.release.v1.my-release.v3"),
  );
});
