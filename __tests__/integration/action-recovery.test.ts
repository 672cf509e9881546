import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { killProcessesOf, killProgramOf } from "../../local-gke/control-plane/processes.ts";
import { CHART, HELM, type HelmName, useCluster } from "./support/cluster.ts";
import type { Job, Step } from "./support/job.ts";
import { STANDALONE } from "./support/names.ts";
import { CRASH, podTemplate, readyAfter, untilRevision, untilRollout } from "./support/pods.ts";
import { expectFailure, expectSuccess } from "./support/results.ts";

const cluster = useCluster();

const HELMS = ["helm3", "helm4"] as const;
const KILLS = 3;
/** Within this time after its start an upgrade or a rollback of a small release has ended. */
const MOMENTS_MS = 1500;

/** Puts a small release behind the load balancer, without waiting for that. */
async function settle(namespace: string, helm: HelmName): Promise<void> {
  await cluster.installSmall(namespace, {}, helm);
  await cluster.deploy(namespace, { wait_for: "none" }, { helm });
  expect(await cluster.revisions(namespace)).toEqual(["superseded", "deployed"]);
}

/** Starts an upgrade whose pods don't get ready, and kills all that works on it once Helm waits for them. */
async function killUpgrade(namespace: string, helm: HelmName): Promise<void> {
  const job = await cluster.job({ helm });
  const step = job.start(cluster.inputs(namespace, { values: readyAfter("1h") }));
  await untilRollout(cluster, namespace);
  await killProcessesOf(job.directory);
  await step.ended;
}

describe.concurrent("an upgrade that fails", () => {
  test.each(HELMS)("%s: the release is rolled back and serves as before", async (helm) => {
    const namespace = `rollback-${helm}`;
    await settle(namespace, helm);
    const [values, template] = [await cluster.values(namespace), await podTemplate(cluster, namespace)];

    const failed = await cluster.failure(namespace, { values: CRASH, helm_timeout: "30s" }, { helm });
    expect(failed.error).toMatch(
      /CrashLoopBackOff[\s\S]*\nRelease my-release was rolled back to revision 2\.\nMore: \S+#crash-loop$/,
    );
    expect(failed.outputs).toMatchObject({ changed: "true", release_revision: "4", chart_version: "5.0.19" });
    expect(failed.lines).toContain("::group::Roll back to revision 2");
    expect(await cluster.revisions(namespace)).toEqual(["superseded", "superseded", "failed", "deployed"]);
    expect(await cluster.values(namespace)).toEqual(values);
    expect(await podTemplate(cluster, namespace)).toEqual(template);
    const ready = await cluster.kubectl(
      "get",
      "-n",
      namespace,
      `deployment/${STANDALONE}`,
      "-o",
      "jsonpath={.status}",
    );
    expect(JSON.parse(ready)).toMatchObject({ replicas: 1, readyReplicas: 1, updatedReplicas: 1 });

    const next = await cluster.expectUnchanged(namespace, { wait_for: "none" }, { helm });
    expect(next.outputs).toMatchObject({ release_revision: "4" });
  });

  test("rollback_on_failure: false leaves it as it failed", async () => {
    await cluster.installSmall("left");
    const inputs = { values: CRASH, helm_timeout: "30s", rollback_on_failure: "false" };
    const { error } = await cluster.failure("left", inputs);
    expect(error).not.toContain("rolled back");
    expect(await cluster.revisions("left")).toEqual(["deployed", "failed"]);
  });

  test("a release that was never deployed has nothing to go back to", async () => {
    const small = ["cluster.enabled=false", "etcd.enabled=false", "annotations.local-gke/pod=crash-loop"];
    const flags = ["-n", "never", "--create-namespace", "--wait", "--timeout=2s", "--set", small.join(",")];
    await expect(cluster.helm("install", "my-release", CHART, ...flags)).rejects.toThrow();
    expect(await cluster.revisions("never")).toEqual(["failed"]);
    const { error } = await cluster.failure("never", { allow_anonymous: "true", helm_timeout: "30s" });
    expect(error).toMatch(
      /CrashLoopBackOff[\s\S]*\nRelease my-release has no deployed revision to roll back to: it stays failed\.\nMore: \S+#crash-loop$/,
    );
    expect(await cluster.revisions("never")).toEqual(["failed", "failed"]);
  });
});

test("a Helm that is killed while it waits for the pods: its run rolls the release back", async () => {
  const namespace = "helm-killed";
  await settle(namespace, HELM);
  const job = await cluster.job();
  const step = job.start(cluster.inputs(namespace, { values: readyAfter("1h") }));
  await untilRollout(cluster, namespace);
  await killProgramOf(job.directory, "helm");
  const { error } = expectFailure(await step.ended);
  expect(error).toMatch(/Why: .*helm was killed by SIGKILL\.[\s\S]*was rolled back to revision 2\.\n/);
  expect(await cluster.revisions(namespace)).toEqual([
    "superseded",
    "superseded",
    "pending-upgrade",
    "deployed",
  ]);
});

describe.concurrent("a release that a killed run has left pending", () => {
  const RECOVER = { recover_pending: "1s", wait_for: "none" };

  test.each(HELMS)("%s: it is rolled back past its age, and the run goes on", async (helm) => {
    const namespace = `pending-${helm}`;
    await settle(namespace, helm);
    const values = await cluster.values(namespace);
    await killUpgrade(namespace, helm);
    expect(await cluster.revisions(namespace)).toEqual(["superseded", "deployed", "pending-upgrade"]);

    const refused = await cluster.refusal(namespace, {}, { helm });
    expect(refused.error).toMatch(
      /^Revision 3 of .* pending-upgrade; nothing[\s\S]* since \d{4}-\d\d-\d\dT[\s\S]*recover_pending/,
    );

    // What someone has since changed by hand belongs to them, as far as a server-side apply is concerned.
    const byHand = ["service/my-release-milvus", "cloud.google.com/neg={}", "--overwrite"];
    await cluster.kubectl("annotate", "-n", namespace, ...byHand);

    const next = await cluster.deploy(namespace, RECOVER, { helm });
    expect(next.lines).toContain("::group::Roll back to revision 2");
    expect(next.outputs).toMatchObject({ changed: "true", release_revision: "4" });
    expect(await cluster.values(namespace)).toEqual(values);
    expect(JSON.stringify(await podTemplate(cluster, namespace))).not.toContain("ready-after");
    const { metadata } = await cluster.get(namespace, "Service", "my-release-milvus");
    expect(metadata.annotations).toMatchObject({ "cloud.google.com/neg": '{"ingress":true}' });
  });

  test.each<{ how: string; namespace: string; end: (first: Job, step: Step) => Promise<void> }>([
    {
      how: "ends",
      namespace: "waited",
      end: async (_, step) => step.kill("SIGINT"),
    },
    {
      how: "was killed, until someone rolls back by hand",
      namespace: "rolled-back-by-hand",
      end: async (first) => {
        await killProcessesOf(first.directory);
        await cluster.helm("rollback", "my-release", "2", "-n", "rolled-back-by-hand");
      },
    },
  ])("a run waits for another one that $how", async ({ namespace, end }) => {
    await settle(namespace, HELM);
    const first = await cluster.job();
    const upgrading = first.start(cluster.inputs(namespace, { values: readyAfter("1h") }));
    await untilRevision(cluster, namespace, 3);
    const inputs = { wait_for: "none", recover_pending: "1h", values: readyAfter("1s") };
    const waiting = await cluster.start(namespace, inputs);
    await waiting.line(/Waiting for revision 3 of release my-release, pending-upgrade since /);
    await end(first, upgrading);
    await upgrading.ended;
    const { lines } = expectSuccess(await waiting.ended);
    expect(lines).not.toContainEqual(expect.stringContaining("Roll back"));
    expect((await cluster.revisions(namespace)).at(-1)).toBe("deployed");
    expect(await cluster.values(namespace)).toMatchObject({ annotations: { "local-gke/ready-after": "1s" } });
  });
});

test.each(HELMS)("%s: runs that are killed at random moments lose nothing", async (helm) => {
  const namespace = `killed-${helm}`;
  await settle(namespace, helm);
  const before = await cluster.values(namespace);
  const inputs = (run: string) => {
    const values = `annotations:\n  example.com/run: ${JSON.stringify(run)}\n`;
    return { wait_for: "none", recover_pending: "1s", values };
  };
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const job = await cluster.job({ helm });
    const step = job.start(cluster.inputs(namespace, inputs(`${kill}`)));
    await step.line(/::group::(Roll back|Upgrade)/);
    await delay(randomInt(MOMENTS_MS));
    await killProcessesOf(job.directory);
    await step.ended;
  }
  await cluster.deploy(namespace, inputs("last"), { helm });
  expect((await cluster.revisions(namespace)).at(-1)).toBe("deployed");
  expect(await cluster.values(namespace)).toEqual({
    ...before,
    annotations: { "example.com/run": "last" },
  });
  expect(await podTemplate(cluster, namespace)).toMatchObject({
    metadata: { annotations: { "example.com/run": "last" } },
  });
});
