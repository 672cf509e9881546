import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { killProcessesOf, killProgramOf } from "../../local-gke/control-plane/processes.ts";
import { CHART, HELM, useCluster } from "./support/cluster.ts";
import type { Job, Step } from "./support/job.ts";
import { STANDALONE } from "./support/names.ts";
import { CRASH, podTemplate, readyAfter, untilRevision, untilRollout } from "./support/pods.ts";
import { expectFailure, expectSuccess } from "./support/results.ts";

const cluster = useCluster();

const KILLS = 3;
/** Within this time after its start an upgrade or a rollback of a small release has ended. */
const MOMENTS_MS = 1500;
/** A crash loop ends a rollout after 6 s of this time. */
const CRASHING = { values: CRASH, helm_timeout: "10s" };

describe("a release behind the load balancer", () => {
  const namespace = "recovered";
  async function revisionsFrom(revision: number): Promise<string[]> {
    return (await cluster.revisions(namespace)).slice(revision - 1);
  }

  beforeAll(async () => {
    await cluster.installSmall(namespace);
    await cluster.deploy(namespace, { wait_for: "none" });
  });

  test("is rolled back when an upgrade fails, and serves as before", async () => {
    const [values, template] = [await cluster.values(namespace), await podTemplate(cluster, namespace)];
    const before = await cluster.newestDeployed(namespace);

    const failed = await cluster.failure(namespace, CRASHING);
    expect(failed.error).toMatch(/CrashLoopBackOff[\s\S]*\nMore: \S+#crash-loop$/);
    expect(failed.error).toContain(`\nRelease my-release was rolled back to revision ${before}.\n`);
    const release_revision = String(before + 2);
    expect(failed.outputs).toMatchObject({ changed: "true", release_revision, chart_version: "5.0.19" });
    expect(failed.lines).toContain(`::group::Roll back to revision ${before}`);
    expect(await revisionsFrom(before)).toEqual(["superseded", "failed", "deployed"]);
    expect(await cluster.values(namespace)).toEqual(values);
    expect(await podTemplate(cluster, namespace)).toEqual(template);
    const { status } = await cluster.get(namespace, "Deployment", STANDALONE);
    expect(status).toMatchObject({ replicas: 1, readyReplicas: 1, updatedReplicas: 1 });

    const next = await cluster.expectUnchanged(namespace, { wait_for: "none" });
    expect(next.outputs).toMatchObject({ release_revision });
  });

  test("is rolled back by the run whose Helm is killed while it waits for the pods", async () => {
    const before = await cluster.newestDeployed(namespace);
    const job = await cluster.job();
    const step = job.start(cluster.inputs(namespace, { values: readyAfter("1h") }));
    await untilRollout(cluster, namespace);
    await killProgramOf(job.directory, "helm");
    const { error } = expectFailure(await step.ended);
    expect(error).toMatch(/Why: .*helm was killed by SIGKILL\.\n/);
    expect(error).toContain(`was rolled back to revision ${before}.\n`);
    expect(await revisionsFrom(before)).toEqual(["superseded", "pending-upgrade", "deployed"]);
  });

  test("that a killed run has left pending is rolled back past its age, and the run goes on", async () => {
    const [values, before] = [await cluster.values(namespace), await cluster.newestDeployed(namespace)];
    const job = await cluster.job();
    const step = job.start(cluster.inputs(namespace, { values: readyAfter("1h") }));
    await untilRollout(cluster, namespace);
    await killProcessesOf(job.directory);
    await step.ended;
    expect(await revisionsFrom(before)).toEqual(["deployed", "pending-upgrade"]);

    const { error } = await cluster.refusal(namespace);
    expect(error).toMatch(
      /^[^;]* pending-upgrade; nothing[\s\S]* since \d{4}-\d\d-\d\dT[\s\S]*recover_pending/,
    );
    expect(error).toContain(`Revision ${before + 1} of `);

    // What someone has since changed by hand belongs to them, as far as a server-side apply is concerned.
    const byHand = ["service/my-release-milvus", "cloud.google.com/neg={}", "--overwrite"];
    await cluster.kubectl("annotate", "-n", namespace, ...byHand);

    const next = await cluster.deploy(namespace, { recover_pending: "1s", wait_for: "none" });
    expect(next.lines).toContain(`::group::Roll back to revision ${before}`);
    expect(next.outputs).toMatchObject({ changed: "true", release_revision: String(before + 2) });
    expect(await cluster.values(namespace)).toEqual(values);
    expect(JSON.stringify(await podTemplate(cluster, namespace))).not.toContain("ready-after");
    const { metadata } = await cluster.get(namespace, "Service", "my-release-milvus");
    expect(metadata.annotations).toMatchObject({ "cloud.google.com/neg": '{"ingress":true}' });
  });

  test("loses nothing by runs that are killed at random moments", async () => {
    const before = await cluster.values(namespace);
    const inputs = (run: string) => {
      const values = `annotations:\n  example.com/run: ${JSON.stringify(run)}\n`;
      return { wait_for: "none", recover_pending: "1s", values };
    };
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const job = await cluster.job();
      const step = job.start(cluster.inputs(namespace, inputs(`${kill}`)));
      await step.line(/::group::(Roll back|Upgrade)/);
      await delay(randomInt(MOMENTS_MS));
      await killProcessesOf(job.directory);
      await step.ended;
    }
    await cluster.deploy(namespace, inputs("last"));
    expect((await cluster.revisions(namespace)).at(-1)).toBe("deployed");
    expect(await cluster.values(namespace)).toEqual({
      ...before,
      annotations: { "example.com/run": "last" },
    });
    expect(await podTemplate(cluster, namespace)).toMatchObject({
      metadata: { annotations: { "example.com/run": "last" } },
    });
  });
});

// These are alike with each Helm: once is enough.
if (HELM === "helm4") {
  describe.concurrent("an upgrade that fails", () => {
    test("rollback_on_failure: false leaves it as it failed", async () => {
      await cluster.installSmall("left");
      const { error } = await cluster.failure("left", { ...CRASHING, rollback_on_failure: "false" });
      expect(error).not.toContain("rolled back");
      expect(await cluster.revisions("left")).toEqual(["deployed", "failed"]);
    });

    test("a release that was never deployed has nothing to go back to", async () => {
      const small = ["cluster.enabled=false", "etcd.enabled=false", "annotations.local-gke/pod=crash-loop"];
      const flags = ["-n", "never", "--create-namespace", "--wait", "--timeout=2s", "--set", small.join(",")];
      await expect(cluster.helm("install", "my-release", CHART, ...flags)).rejects.toThrow();
      expect(await cluster.revisions("never")).toEqual(["failed"]);
      const { error } = await cluster.failure("never", { allow_anonymous: "true", helm_timeout: "10s" });
      expect(error).toMatch(
        /CrashLoopBackOff[\s\S]*\nRelease my-release has no deployed revision to roll back to: it stays failed\.\nMore: \S+#crash-loop$/,
      );
      expect(await cluster.revisions("never")).toEqual(["failed", "failed"]);
    });
  });

  describe.concurrent("a run with recover_pending waits for another one", () => {
    test.each<{ how: string; namespace: string; end: (first: Job, step: Step) => Promise<void> }>([
      {
        how: "that ends",
        namespace: "waited",
        end: async (_, step) => step.kill("SIGINT"),
      },
      {
        how: "that was killed, until someone rolls back by hand",
        namespace: "rolled-back-by-hand",
        end: async (first) => {
          await killProcessesOf(first.directory);
          await cluster.helm("rollback", "my-release", "1", "-n", "rolled-back-by-hand");
        },
      },
    ])("$how", async ({ namespace, end }) => {
      await cluster.installSmall(namespace);
      const first = await cluster.job();
      const upgrading = first.start(cluster.inputs(namespace, { values: readyAfter("1h") }));
      await untilRevision(cluster, namespace, 2);
      const inputs = { wait_for: "none", recover_pending: "1h", values: readyAfter("1s") };
      const waiting = await cluster.start(namespace, inputs);
      await waiting.line(/Waiting for revision 2 of release my-release, pending-upgrade since /);
      await end(first, upgrading);
      await upgrading.ended;
      const { lines } = expectSuccess(await waiting.ended);
      expect(lines).not.toContainEqual(expect.stringContaining("Roll back"));
      expect((await cluster.revisions(namespace)).at(-1)).toBe("deployed");
      expect(await cluster.values(namespace)).toMatchObject({
        annotations: { "local-gke/ready-after": "1s" },
      });
    });
  });
}
