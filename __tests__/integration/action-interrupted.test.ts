import { readdirSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { killProcessesOf, processesOf } from "../../local-gke/control-plane/processes.ts";
import { type HelmName, useCluster } from "./support/cluster.ts";
import { type HeldUpdate, holdUpdates } from "./support/hold.ts";
import type { Job, Step } from "./support/job.ts";
import { CRASH, podTemplate, readyAfter, untilRollout } from "./support/pods.ts";
import { expectFailure } from "./support/results.ts";

const cluster = useCluster();

const HELMS = ["helm3", "helm4"] as const;

/** Puts a small release behind the load balancer, without waiting for that. */
async function settle(namespace: string, helm: HelmName): Promise<void> {
  await cluster.installSmall(namespace, {}, helm);
  await cluster.deploy(namespace, { wait_for: "none" }, { helm });
}

/** Starts an upgrade that fails; it is rolled back to revision 2. */
async function startFailing(namespace: string, helm: HelmName): Promise<{ job: Job; step: Step }> {
  const job = await cluster.job({ helm });
  const step = job.start(cluster.inputs(namespace, { values: CRASH, helm_timeout: "30s" }));
  return { job, step };
}

/** Cancels and kills everything at once. */
async function kill({ job, step }: { job: Job; step: Step }): Promise<void> {
  step.kill("SIGINT");
  step.kill("SIGTERM");
  await killProcessesOf(job.directory);
  await step.ended;
}

/** Lets the action meet an error that nobody catches. */
const FAILING_ON_SIGUSR2 =
  "--import=data:text/javascript,process.on('SIGUSR2',()=>{throw%20new%20Error('unexpected')})";

describe.concurrent("leaves neither programs nor credentials behind", () => {
  test.each<[string, string, (step: Step) => void]>([
    ["when the terminal hangs up", "left-hangup", (step) => step.kill("SIGHUP")],
    ["when nobody reads its log any more", "left-reader", (step) => step.stopReading()],
    ["after an unexpected error", "left-error", (step) => step.kill("SIGUSR2")],
  ])("%s", async (_, namespace, end) => {
    await cluster.installSmall(namespace);
    const job = await cluster.job({ environment: { NODE_OPTIONS: FAILING_ON_SIGUSR2 } });
    const step = job.start(cluster.inputs(namespace, { mode: "plan" }));
    await step.line(/^::group::Look and plan/);
    end(step);
    await step.ended;
    await vi.waitFor(() => expect(processesOf(job.directory)).toEqual([]), { timeout: 10_000 });
    expect(readdirSync(job.temp)).toEqual([]);
  });
});

describe("a rollback that is cancelled and killed", () => {
  /** Kills the rollback while Helm waits for an update to be stored. */
  async function interruptAt(namespace: string, helm: HelmName, ...update: HeldUpdate): Promise<void> {
    const hold = await holdUpdates(cluster.gke.kubeconfig, namespace, ...update);
    try {
      const failing = await startFailing(namespace, helm);
      await hold.reached;
      await kill(failing);
    } finally {
      await hold.end();
    }
  }

  /** Once Helm has recorded it and is to change the first object. */
  const beforeChange = (namespace: string, helm: HelmName) =>
    interruptAt(
      namespace,
      helm,
      "deployments",
      (before, after) => before.includes("crash-loop") && !after.includes("crash-loop"),
    );

  /** Once the pods are those of before and Helm is to record that its former revision is past. */
  const afterChange = (namespace: string, helm: HelmName) =>
    interruptAt(namespace, helm, "secrets", (_, after) => after.includes('"status":"superseded"'));

  test.each<{ when: string; namespace: string; helm: HelmName; interrupt: typeof beforeChange }>([
    { when: "before a change", namespace: "before-helm3", helm: "helm3", interrupt: beforeChange },
    { when: "before a change", namespace: "before-helm4", helm: "helm4", interrupt: beforeChange },
    { when: "after a change", namespace: "after-helm3", helm: "helm3", interrupt: afterChange },
    { when: "after a change", namespace: "after-helm4", helm: "helm4", interrupt: afterChange },
  ])("$helm, $when: the next run goes on", async ({ namespace, helm, interrupt }) => {
    await settle(namespace, helm);
    const [values, template] = [await cluster.values(namespace), await podTemplate(cluster, namespace)];
    await interrupt(namespace, helm);
    const statuses = ["superseded", "deployed", "failed", "pending-rollback"];
    expect(await cluster.revisions(namespace)).toEqual(statuses);

    await cluster.deploy(namespace, { recover_pending: "1s", wait_for: "none" }, { helm });
    expect((await cluster.revisions(namespace)).at(-1)).toBe("deployed");
    expect(await cluster.values(namespace)).toEqual(values);
    expect(await podTemplate(cluster, namespace)).toEqual(template);
  });
});

describe("an upgrade that is cancelled", () => {
  test.each(HELMS)("%s: what only it has set is gone after the next run", async (helm) => {
    const namespace = `cancelled-${helm}`;
    await settle(namespace, helm);
    const [values, template] = [await cluster.values(namespace), await podTemplate(cluster, namespace)];

    const cancelled = await cluster.start(namespace, { values: readyAfter("1h") }, { helm });
    await untilRollout(cluster, namespace);
    cancelled.kill("SIGINT");
    await cancelled.ended;
    expect(await cluster.revisions(namespace)).toEqual(["superseded", "deployed", "failed"]);

    await cluster.deploy(namespace, { wait_for: "none" }, { helm });
    expect((await cluster.revisions(namespace)).at(-1)).toBe("deployed");
    expect(await cluster.values(namespace)).toEqual(values);
    expect(await podTemplate(cluster, namespace)).toEqual(template);
  });
});

describe.concurrent("a job that is cancelled in the middle of the upgrade", () => {
  test.each<{ signal: NodeJS.Signals; helm: HelmName; ending: string[] }>([
    // Client-side, what the failed revision has set must be taken back first.
    { signal: "SIGINT", helm: "helm3", ending: ["superseded", "failed", "superseded", "deployed"] },
    { signal: "SIGTERM", helm: "helm4", ending: ["superseded", "failed", "deployed"] },
  ])(
    "by $signal to $helm: the release is failed, not pending, and the next run goes on",
    async ({ signal, helm, ending }) => {
      const namespace = `cancelled-${signal.toLowerCase()}`;
      await cluster.installSmall(namespace, {}, helm);
      const before = await cluster.values(namespace);

      const job = await cluster.job({ helm });
      const step = job.start(cluster.inputs(namespace, { values: readyAfter("1h") }));
      // Helm is at work on the objects.
      const upgraded = [
        "--for=jsonpath={.spec.type}=ClusterIP",
        "service/my-release-milvus",
        "--timeout=300s",
      ];
      await cluster.kubectl("wait", ...upgraded, "-n", namespace);
      step.kill(signal);
      const { error } = expectFailure(await step.ended);
      expect(error).toContain(`The job was cancelled (${signal}).`);
      expect(processesOf(job.directory)).toEqual([]);
      expect(await cluster.revisions(namespace)).toEqual(["deployed", "failed"]);
      expect((await job.post()).exitCode).toBe(0);
      expect(readdirSync(job.temp)).toEqual([]);

      const next = await cluster.deploy(namespace, { values: readyAfter("1s") }, { helm });
      expect(next.outputs).toMatchObject({ changed: "true", release_revision: String(ending.length) });
      expect(await cluster.revisions(namespace)).toEqual(ending);
      const { service: _, extraConfigFiles, ...values } = await cluster.values(namespace);
      const { service: __, extraConfigFiles: ___, ...kept } = before;
      expect(values).toEqual({ ...kept, annotations: { "local-gke/ready-after": "1s" } });
      expect(extraConfigFiles).toEqual({
        "user.yaml": expect.stringMatching(/authorizationEnabled: true\n[\s\S]*tlsMode: 1\n/),
      });
    },
  );
});
