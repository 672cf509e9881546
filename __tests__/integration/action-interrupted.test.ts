import { readdirSync } from "node:fs";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { killProcessesOf, processesOf } from "../../local-gke/control-plane/processes.ts";
import { HELM, useCluster } from "./support/cluster.ts";
import { type HeldUpdate, holdUpdates } from "./support/hold.ts";
import type { Job, Step } from "./support/job.ts";
import { CRASH, podTemplate, readyAfter, untilRollout } from "./support/pods.ts";
import { expectFailure } from "./support/results.ts";

const cluster = useCluster();

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

// Helm has no part in it: once is enough.
if (HELM === "helm4") {
  describe.concurrent("leaves neither programs nor credentials behind", () => {
    beforeAll(() => cluster.installSmall("left-nothing"));

    test.each<[string, (step: Step) => void]>([
      ["when the terminal hangs up", (step) => step.kill("SIGHUP")],
      ["when nobody reads its log any more", (step) => step.stopReading()],
      ["after an unexpected error", (step) => step.kill("SIGUSR2")],
    ])("%s", async (_, end) => {
      const job = await cluster.job({ environment: { NODE_OPTIONS: FAILING_ON_SIGUSR2 } });
      const step = job.start(cluster.inputs("left-nothing", { mode: "plan" }));
      await step.line(/^::group::Look and plan/);
      end(step);
      await step.ended;
      await vi.waitFor(() => expect(processesOf(job.directory)).toEqual([]), { timeout: 10_000 });
      expect(readdirSync(job.temp)).toEqual([]);
    });
  });
}

describe("a release behind the load balancer", () => {
  const namespace = "interrupted";

  /** What is to be as before. */
  async function state() {
    return { values: await cluster.values(namespace), template: await podTemplate(cluster, namespace) };
  }

  async function revisionsFrom(revision: number): Promise<string[]> {
    return (await cluster.revisions(namespace)).slice(revision - 1);
  }

  beforeAll(async () => {
    await cluster.installSmall(namespace);
    await cluster.deploy(namespace, { wait_for: "none" });
  });

  test.each<{ when: string; helm_timeout: string; update: HeldUpdate }>([
    {
      when: "before Helm has changed an object",
      helm_timeout: "2s",
      update: [
        "deployments",
        (before, after) => before.includes("crash-loop") && !after.includes("crash-loop"),
      ],
    },
    {
      when: "once Helm has changed all objects",
      // Helm waits for the pods before it records that the former revision is past.
      helm_timeout: "10s",
      update: ["secrets", (_, after) => after.includes('"status":"superseded"')],
    },
  ])(
    "whose rollback is cancelled and killed $when: the next run goes on",
    async ({ helm_timeout, update }) => {
      const [before, revision] = [await state(), await cluster.newestDeployed(namespace)];
      const hold = await holdUpdates(cluster.gke.kubeconfig, namespace, ...update);
      try {
        const job = await cluster.job();
        const step = job.start(cluster.inputs(namespace, { values: CRASH, helm_timeout }));
        await Promise.race([
          hold.reached,
          step.ended.then(({ lines }) => expect.unreachable(lines.join("\n"))),
        ]);
        await kill({ job, step });
      } finally {
        await hold.end();
      }
      expect(await revisionsFrom(revision)).toEqual(["deployed", "failed", "pending-rollback"]);

      await cluster.deploy(namespace, { recover_pending: "1s", wait_for: "none" });
      expect((await cluster.revisions(namespace)).at(-1)).toBe("deployed");
      expect(await state()).toEqual(before);
    },
  );

  test("whose upgrade is cancelled: what only that has set is gone after the next run", async () => {
    const [before, revision] = [await state(), await cluster.newestDeployed(namespace)];
    const cancelled = await cluster.start(namespace, { values: readyAfter("1h") });
    await untilRollout(cluster, namespace);
    cancelled.kill("SIGINT");
    await cancelled.ended;
    expect(await revisionsFrom(revision)).toEqual(["deployed", "failed"]);

    await cluster.deploy(namespace, { wait_for: "none" });
    expect((await cluster.revisions(namespace)).at(-1)).toBe("deployed");
    expect(await state()).toEqual(before);
  });
});

/** Of the two signals that a runner sends, each Helm gets one here. */
const SIGNAL = HELM === "helm3" ? "SIGINT" : "SIGTERM";

test(`${SIGNAL} in the middle of the first upgrade: the release is failed, not pending, and the next run goes on`, async () => {
  const namespace = "cancelled-upgrade";
  await cluster.installSmall(namespace);
  const before = await cluster.values(namespace);

  const job = await cluster.job();
  const step = job.start(cluster.inputs(namespace, { values: readyAfter("1h") }));
  // Helm is at work on the objects.
  const upgraded = ["--for=jsonpath={.spec.type}=ClusterIP", "service/my-release-milvus", "--timeout=300s"];
  await cluster.kubectl("wait", ...upgraded, "-n", namespace);
  step.kill(SIGNAL);
  const { error } = expectFailure(await step.ended);
  expect(error).toContain(`The job was cancelled (${SIGNAL}).`);
  expect(processesOf(job.directory)).toEqual([]);
  expect(await cluster.revisions(namespace)).toEqual(["deployed", "failed"]);
  expect((await job.post()).exitCode).toBe(0);
  expect(readdirSync(job.temp)).toEqual([]);

  const next = await cluster.deploy(namespace, { values: readyAfter("1s") });
  // Helm 3 works client-side: what the failed revision has set must be taken back first.
  const ending = ["superseded", "failed", ...(HELM === "helm3" ? ["superseded"] : []), "deployed"];
  expect(next.outputs).toMatchObject({ changed: "true", release_revision: String(ending.length) });
  expect(await cluster.revisions(namespace)).toEqual(ending);
  const { service: _, extraConfigFiles, ...values } = await cluster.values(namespace);
  const { service: __, extraConfigFiles: ___, ...kept } = before;
  expect(values).toEqual({ ...kept, annotations: { "local-gke/ready-after": "1s" } });
  expect(extraConfigFiles).toEqual({
    "user.yaml": expect.stringMatching(/authorizationEnabled: true\n[\s\S]*tlsMode: 1\n/),
  });
});
