import { beforeAll, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { DEFAULT_TIMING } from "../../local-gke/ingress/timing.ts";
import { chartWith } from "./support/charts.ts";
import { useCluster } from "./support/cluster.ts";
import { BACKEND_CONFIG, INGRESS, SERVICE } from "./support/names.ts";
import { expectSuccess } from "./support/results.ts";

const LIMIT = { timeout: 100_000 };
const READY_AFTER = "local-gke/ready-after";
const OFF = { enabled: false };
const MODES = {
  // Without parts that would only be replaced too.
  cluster: { cluster: { enabled: true }, mixCoordinator: OFF, dataNode: OFF, streamingNode: OFF },
  standalone: {},
};

const cluster = useCluster();
/**
 * A chart with the value `readyAfter`: how long the pods of each component take from revision 2 on. Those of
 * other components are ready at once.
 */
let chart: string;
beforeAll(async () => {
  chart = await chartWith(
    cluster,
    "templates/_helpers.tpl",
    "        checksum/config:",
    "        {{- $readyAfter := get (default dict .root.Values.readyAfter) .component }}\n" +
      "        {{- if and $readyAfter .root.Release.IsUpgrade }}\n" +
      `        ${READY_AFTER}: {{ $readyAfter }}\n` +
      "        {{- end }}\n        checksum/config:",
  );
});

/** Has the pods of one component take an hour, and the others none. */
const onlyLate = (component: string) => ({
  readyAfter: { proxy: "", querynode: "", standalone: "", [component]: "1h" },
});

test.concurrent.each([
  { mode: "cluster", failing: "querynode", served: "proxy" },
  { mode: "standalone", failing: "standalone", served: "standalone" },
] as const)(
  "the load balancer is made beside the rollout, and taken back if that fails: $mode mode",
  async ({ mode, failing, served }) => {
    const namespace = `beside-${mode}`;
    const where = ["-n", namespace];
    await cluster.installSmall(namespace, { ...MODES[mode], ...onlyLate(failing) });
    const inputs = { chart, keep_layer4: "true" };

    // The time is enough to make the load balancer. In standalone mode the failing pod is behind the Service.
    const { error, lines } = await cluster.failure(namespace, { ...inputs, helm_timeout: "20s" });
    const writes = await cluster.writes(namespace);
    expect(writes, lines.join("\n")).toContain(`patch ingresses/${INGRESS}`);
    expect(error).toMatch(
      /What this run had made of the load balancer is deleted again: Ingress my-release-milvus, /,
    );
    expect(error).toContain("Release my-release was rolled back to revision 1.");
    expect(error).toMatch(/The layer-4 load balancer.* still stands/);
    for (const kind of ["Ingress", "BackendConfig", "Secret"] as const) {
      expect(await cluster.names(namespace, kind), kind).toEqual([]);
    }
    expect(await cluster.revisions(namespace)).toEqual(["superseded", "failed", "deployed"]);

    // The load balancer is made before the new pods behind the Service are ready: they get ready after it.
    const values = stringify(onlyLate(served));
    const step = await cluster.start(namespace, { ...inputs, values });
    await cluster.kubectl("wait", `ingress/${INGRESS}`, "--for=create", ...where, "--timeout=100s");
    const pods = ["pods", "-l", `component=${served}`];
    await cluster.kubectl("annotate", ...pods, `${READY_AFTER}=1ms`, "--overwrite", ...where);
    const result = expectSuccess(await step.ended);
    expect(result.lines).toContain("The load balancer's objects were applied beside the rollout.");
    const written = (await cluster.writes(namespace)).slice(writes.length);
    expect(written.filter((write) => write === `patch backendconfigs/${BACKEND_CONFIG}`)).toHaveLength(1);
  },
);

test.concurrent("a closed readiness gate holds the load balancer back, and a health check that would close it is mended first", async () => {
  const namespace = "beside-gate";
  // Time for a load balancer that isn't held back.
  await cluster.installSmall(namespace, { readyAfter: { standalone: "3s" } });
  // With this one's load balancer in use, a new pod has to be healthy before its gate opens.
  const backend = { service: { name: SERVICE, port: { number: 19530 } } };
  await cluster.apply({
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: "other", namespace, annotations: { "kubernetes.io/ingress.class": "gce" } },
    spec: {
      rules: [{ host: "other.milvus.io", http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }],
    },
  });
  await cluster.setFaultIn(namespace, "unhealthy-backends", true);
  const inputs = { chart, keep_layer4: "true" };
  const step = await cluster.start(namespace, inputs);
  const pods = ["get", "pods", "-n", namespace, "-o", "json"];
  await vi.waitFor(
    async () => expect(await cluster.kubectl(...pods)).toContain('"ReadinessGatesNotReady"'),
    LIMIT,
  );
  expect(await cluster.names(namespace, "Ingress")).toEqual(["other"]);
  await cluster.setFaultIn(namespace, "unhealthy-backends", false);
  // The other one's health check lacks the BackendConfig that this run makes.
  await cluster.setTime("readinessGateMs", 0);
  const result = await step.ended;
  await cluster.setTime("readinessGateMs", DEFAULT_TIMING.readinessGateMs);
  expectSuccess(result);

  const wrong = '{"spec":{"healthCheck":{"requestPath":"/nowhere"}}}';
  await cluster.kubectl(
    ...["patch", "backendconfig", BACKEND_CONFIG, "-n", namespace, "--type=merge", "-p", wrong],
  );
  const values = "annotations:\n  example.com/restarted: again\n";
  await cluster.deploy(namespace, { ...inputs, values, helm_timeout: "60s" });
  const writes = await cluster.writes(namespace);
  const mended = writes.lastIndexOf(`patch backendconfigs/${BACKEND_CONFIG}`);
  expect(mended, writes.join("\n")).toBeLessThan(
    writes.indexOf("create secrets/sh.helm.release.v1.my-release.v4"),
  );
});
