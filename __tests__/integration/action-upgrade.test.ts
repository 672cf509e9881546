import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { processesOf } from "../../local-gke/control-plane/processes.ts";
import { type HelmName, inputsFor, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());

/** Values with which pods get ready after this time. */
function readyAfter(time: string): string {
  return `annotations:\n  local-gke/ready-after: ${time}\n`;
}

describe.concurrent("a job that is cancelled in the middle of the upgrade", () => {
  test.each<{ signal: NodeJS.Signals; helm: HelmName }>([
    { signal: "SIGINT", helm: "helm3" },
    { signal: "SIGTERM", helm: "helm4" },
  ])(
    "by $signal to $helm: the release is failed, not pending, and the next run goes on",
    async ({ signal, helm }) => {
      const namespace = `cancelled-${signal.toLowerCase()}`;
      await cluster.installSmall(namespace, {}, helm);
      const before = await cluster.values(namespace);

      const job = await cluster.job({ helm });
      const step = job.start({ ...inputsFor(namespace), values: readyAfter("1h") });
      // Helm is at work on the objects.
      const upgraded = [
        "--for=jsonpath={.spec.type}=ClusterIP",
        "service/my-release-milvus",
        "--timeout=60s",
      ];
      await cluster.kubectl("wait", ...upgraded, "-n", namespace);
      step.kill(signal);
      const cancelled = await step.ended;
      expect(cancelled.exitCode).toBe(1);
      expect(cancelled.errors).toEqual([expect.stringContaining(`The job was cancelled (${signal}).`)]);
      expect(processesOf(job.directory)).toEqual([]);
      expect(await cluster.revisions(namespace)).toEqual(["deployed", "failed"]);
      expect((await job.post()).exitCode).toBe(0);
      expect(readdirSync(job.temp)).toEqual([]);

      const next = await (await cluster.job({ helm })).main({
        ...inputsFor(namespace),
        values: readyAfter("1s"),
      });
      expect(next.errors, next.lines.join("\n")).toEqual([]);
      expect(next.outputs).toMatchObject({ changed: "true", release_revision: "3" });
      expect(await cluster.revisions(namespace)).toEqual(["superseded", "failed", "deployed"]);
      const { service: _, extraConfigFiles, ...values } = await cluster.values(namespace);
      const { service: __, extraConfigFiles: ___, ...kept } = before;
      expect(values).toEqual({ ...kept, annotations: { "local-gke/ready-after": "1s" } });
      expect(extraConfigFiles).toEqual({
        "user.yaml": expect.stringMatching(/authorizationEnabled: true\n[\s\S]*tlsMode: 1\n/),
      });
    },
  );
});

describe.concurrent("an upgrade that fails", () => {
  test.each<{ what: string; namespace: string; values: string; pod: RegExp }>([
    {
      what: "pods that take too long",
      namespace: "slow",
      values: readyAfter("1h"),
      pod: /my-release-milvus-\S+: Running, not ready/,
    },
    {
      what: "pods that crash",
      namespace: "crashing",
      values: "annotations:\n  local-gke/pod: crash-loop\n",
      pod: /my-release-milvus-\S+: CrashLoopBackOff .*last exit: Error \(code 134\)/,
    },
    {
      what: "an image that isn't there",
      namespace: "no-image",
      values: "image:\n  all:\n    tag: no-such-tag\n",
      pod: /my-release-milvus-\S+: ImagePullBackOff .*no-such-tag/,
    },
  ])("$what", async ({ namespace, values, pod }) => {
    await cluster.installSmall(namespace);
    const result = await (await cluster.job()).main({ ...inputsFor(namespace), values, helm_timeout: "4s" });
    expect(result.exitCode).toBe(1);
    expect(result.errors).toHaveLength(1);
    const [error] = result.errors;
    expect(error).toContain(`helm upgrade of release my-release in namespace ${namespace} failed.`);
    expect(error).toMatch(/Why: .*(timed out|deadline exceeded)/);
    expect(error).toContain("raise helm_timeout");
    expect(result.lines).toContainEqual(expect.stringMatching(pod));
    expect(await cluster.revisions(namespace)).toEqual(["deployed", "failed"]);
    // Without a good upgrade no load balancer is made.
    expect(await cluster.kubectl("get", "ingresses,backendconfigs", "-n", namespace, "-o", "name")).toBe("");
  });
});
