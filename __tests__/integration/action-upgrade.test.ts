import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { CAN_SHOW_PAGES, showPage } from "../../scripts/job-page.ts";
import { HELM, useCluster } from "./support/cluster.ts";
import { CRASH, readyAfter } from "./support/pods.ts";
import type { Failure } from "./support/results.ts";

const cluster = useCluster();

// Helm only waits: it is the action that would end the upgrade early.
describe.runIf(HELM === "helm4").concurrent("an upgrade that only takes its time succeeds", () => {
  beforeAll(() => cluster.setTime("nodeProvisionMs", 10_000));
  afterAll(async () => {
    await cluster.kubectl("delete", "node", "gke-my-cluster-autoscaled-late-1", "--ignore-not-found");
  });

  test.each<[what: string, namespace: string, values: object]>([
    [
      "four crashes, longer and longer waits, then a long start",
      "slow-start",
      {
        annotations: {
          "local-gke/crashes": "4",
          "local-gke/back-off-ms": "600",
          "local-gke/ready-after": "3s",
        },
      },
    ],
    [
      "no node fits until the cluster autoscaler has made one",
      "late-node",
      { nodeSelector: { "cloud.google.com/gke-nodepool": "autoscaled-late" } },
    ],
  ])("%s", async (_, namespace, values) => {
    await cluster.installSmall(namespace);
    // A third of helm_timeout is less than either takes.
    const inputs = { wait_for: "none", helm_timeout: "24s", values: stringify(values) };
    const { outputs } = await cluster.deploy(namespace, inputs);
    expect(outputs).toMatchObject({ changed: "true", release_revision: "2" });
  });
});

describe.concurrent("an upgrade that fails", () => {
  /** Runs the action, whose upgrade must fail before anything is put in front of the release. */
  async function failure(namespace: string, values: string, helmTimeout: string): Promise<Failure> {
    await cluster.installSmall(namespace);
    const limits = { helm_timeout: helmTimeout, rollback_on_failure: "false" };
    const result = await cluster.failure(namespace, { values, ...limits });
    expect(await cluster.revisions(namespace)).toEqual(["deployed", "failed"]);
    for (const kind of ["Ingress", "BackendConfig"] as const) {
      expect(await cluster.names(namespace, kind)).toEqual([]);
    }
    return result;
  }

  test("pods that take too long: Helm's words, and where the pods are", async () => {
    const { error, lines } = await failure("slow", readyAfter("1h"), "3s");
    expect(error).toContain("helm upgrade of release my-release in namespace slow failed.");
    expect(error).toMatch(/Why: .*(timed out|deadline exceeded)/);
    expect(error).toContain("raise helm_timeout");
    expect(lines).toContainEqual(expect.stringMatching(/my-release-milvus-\S+: Running, not ready/));
  });

  test("pods that crash end it early, with their reason and last log lines", async () => {
    const { error, lines, summary } = await failure("upgrade-crashes", CRASH, "9s");
    expect(error).toMatch(/Pod upgrade-crashes\/my-release-milvus-\S+ of release my-release can't get ready/);
    expect(error).toContain("CrashLoopBackOff, last exit: Error (code 134)");
    const panic = "panic: proxy server(http) and external grpc server share the same port";
    expect(error).toContain(panic);
    // The error may have room for the end of it only.
    expect(lines).toContainEqual(
      expect.stringMatching(/^The last lines of container .* of pod upgrade-crashes\//),
    );
    expect(lines).toContainEqual(expect.stringContaining(panic));
    expect(error).toContain("What to do:");
    const rows = summary.split("\n");
    expect(rows).toContain("| value `service.type` | `LoadBalancer` | `ClusterIP` | failed |");
    expect(rows).toContain("| Ingress `my-release-milvus` |  | create | taken back |");
    expect(rows).toContainEqual(expect.stringMatching(/^ {2}pods\[".*"\]:::broken$/));
    expect(rows[0]).toMatch(/^## Failed in step: Upgrade the Helm release \(/);
    if (CAN_SHOW_PAGES && HELM === "helm4") {
      const drawn = [expect.stringContaining("Clients"), expect.stringContaining("Upgrade the Helm release")];
      expect(await showPage(summary)).toEqual(drawn);
    }
  });

  test.runIf(HELM === "helm4")("an image that isn't there ends it early", async () => {
    const { error } = await failure("no-image", "image:\n  all:\n    tag: no-such-tag\n", "9s");
    expect(error).toMatch(/Pod no-image\/my-release-milvus-\S+ of release my-release can't get ready/);
    expect(error).toMatch(/ImagePullBackOff .*milvusdb\/milvus:no-such-tag/);
  });
});

test.concurrent("null in the values removes a value for good; the next run makes a deleted Service again, and only then", async () => {
  const namespace = "nulls";
  await cluster.installSmall(namespace, { annotations: { "example.com/a": "b" } });
  const values = "annotations:\n  example.com/a: null\n  example.com/c: null\nlabels: null\n";
  const inputs = { values, wait_for: "none" };
  const first = await cluster.deploy(namespace, inputs);
  expect(first.outputs).toMatchObject({ changed: "true", release_revision: "2" });
  const deployments = await cluster.list(namespace, "Deployment");
  expect(JSON.stringify(deployments.map(({ metadata, spec }) => [metadata.annotations, spec]))).not.toContain(
    "example.com/",
  );

  // Neither the null nor another Service with the release's labels is something to do.
  const service = ["service", "my-release-milvus", "-n", namespace];
  await cluster.kubectl("expose", ...service, "--name=exposed");
  await cluster.expectUnchanged(namespace, inputs);

  await cluster.kubectl("delete", ...service);
  const mended = await cluster.deploy(namespace, inputs);
  expect(mended.lines).toContain("- Service my-release-milvus is gone");
  expect(mended.outputs).toMatchObject({ changed: "true", release_revision: "3" });
  const { metadata } = await cluster.get(namespace, "Service", "my-release-milvus");
  expect(metadata.annotations).toHaveProperty(["cloud.google.com/app-protocols"]);

  const other = { ...inputs, values: "annotations:\n  example.com/d: e\n" };
  const more = await cluster.deploy(namespace, other);
  expect(more.outputs).toMatchObject({ changed: "true", release_revision: "4" });
  expect(await cluster.values(namespace)).toMatchObject({
    externalS3: { bucketName: "my-milvus-bucket" },
    annotations: { "example.com/d": "e" },
    labels: null,
  });
});

// Helm has no part in the order. No other test here waits for an address.
test
  .runIf(HELM === "helm4")
  .concurrent(
    "keep_layer4: the layer-4 load balancer goes once Milvus answers through the new one, and not before",
    async () => {
      const namespace = "kept";
      await cluster.installSmall(namespace);
      const userYaml =
        "common:\n  security:\n    authorizationEnabled: true\n    # why\n    superUsers: root\n";
      const values = JSON.stringify({ extraConfigFiles: { "user.yaml": userYaml } });
      const inputs = { keep_layer4: "true", values };
      const service = async () => {
        const { type } = Object((await cluster.get(namespace, "Service", "my-release-milvus")).spec);
        return type;
      };

      await cluster.setTime("addressDelayMs", 600_000);
      const failed = await cluster.failure(namespace, { ...inputs, address_timeout: "1s" });
      await cluster.setTime("addressDelayMs", 40);
      expect(failed.error).toContain("has no address after 1.0s");
      expect(failed.outputs).toMatchObject({ changed: "true", release_revision: "2" });
      expect(await service()).toBe("LoadBalancer");

      const { lines, outputs } = await cluster.deploy(namespace, inputs);
      expect(outputs).toMatchObject({ changed: "true", release_revision: "3" });
      expect(await service()).toBe("ClusterIP");
      // The switch comes last, and restarts nothing.
      const [called, switched] = [/^::group::Call Milvus/, /^::group::Remove the layer-4/].map((title) =>
        lines.findIndex((line) => title.test(line)),
      );
      expect(switched).toBeGreaterThan(called ?? 0);
      expect(lines.slice(switched)).toContain("Helm replaced no pods.");
      const { extraConfigFiles } = await cluster.values(namespace);
      expect(Object(extraConfigFiles)["user.yaml"]).toMatch(/# why\n {4}superUsers: root\n {4}tlsMode: 1\n/);

      const again = await cluster.expectUnchanged(namespace, inputs);
      expect(again.outputs.release_revision).toBe("3");
    },
  );
