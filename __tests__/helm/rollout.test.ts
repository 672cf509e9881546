import * as v from "valibot";
import { expect, test } from "vitest";
import { describePods, patienceWith, problemOfPod } from "../../src/helm/rollout.ts";
import { Pod } from "../../src/kubernetes/objects.ts";

const NOT_READY = [{ type: "Ready", status: "False" }];
const container = (state: object, lastState: object = {}, restartCount = 0) => ({
  name: "c",
  ready: false,
  restartCount,
  state,
  lastState,
});

test.each<[string, object | undefined, string | undefined]>([
  ["ready", { phase: "Running", conditions: [{ type: "Ready", status: "True" }] }, undefined],
  ["just created", undefined, "no status, not ready"],
  ["running, not ready yet", { phase: "Running", conditions: NOT_READY }, "Running, not ready"],
  [
    "unschedulable",
    {
      phase: "Pending",
      conditions: [
        {
          type: "PodScheduled",
          status: "False",
          reason: "Unschedulable",
          message: "0/3 nodes: Insufficient cpu.",
        },
      ],
    },
    "Unschedulable (0/3 nodes: Insufficient cpu.)",
  ],
  [
    "unpullable image",
    {
      containerStatuses: [
        container({ waiting: { reason: "ImagePullBackOff", message: "Back-off pulling" } }),
      ],
    },
    "ImagePullBackOff (Back-off pulling)",
  ],
  [
    "crash loop",
    {
      conditions: NOT_READY,
      containerStatuses: [
        { name: "sidecar", ready: true, state: { running: {} } },
        container(
          { waiting: { reason: "CrashLoopBackOff" } },
          { terminated: { reason: "Error", exitCode: 134 } },
          4,
        ),
      ],
    },
    "CrashLoopBackOff, last exit: Error (code 134)",
  ],
  [
    "running again after a crash",
    {
      containerStatuses: [
        container({ running: {} }, { terminated: { reason: "OOMKilled", exitCode: 137 } }, 2),
      ],
    },
    "restarted 2 times, last exit: OOMKilled (code 137)",
  ],
  [
    "ended without a code",
    {
      phase: "Running",
      containerStatuses: [container({ terminated: { reason: "ContainerStatusUnknown" } })],
    },
    "restarted 0 times, last exit: ContainerStatusUnknown (code unknown)",
  ],
  [
    "an init container that can't be pulled",
    {
      phase: "Pending",
      conditions: NOT_READY,
      initContainerStatuses: [
        { name: "done", ready: true, state: { terminated: { reason: "Completed", exitCode: 0 } } },
        container({ waiting: { reason: "ErrImagePull", message: "not found" } }),
      ],
      containerStatuses: [container({ waiting: { reason: "PodInitializing" } })],
    },
    "ErrImagePull (not found)",
  ],
])("%s", (_, status, problem) => {
  expect(problemOfPod(v.parse(Pod, { metadata: { name: "p" }, status }))?.description).toBe(problem);
});

const ailment = (reason: string) => ({ reason, container: "c", restarts: 1, description: reason });

test.each<[string, number, number | undefined]>([
  ["CrashLoopBackOff", 900_000, 300_000],
  ["CrashLoopBackOff", 60_000, 20_000],
  ["ImagePullBackOff", 900_000, 120_000],
  ["CreateContainerConfigError", 900_000, 60_000],
  ["Unschedulable", 900_000, 300_000],
  ["ContainerCreating", 900_000, undefined],
  ["Running", 900_000, undefined],
])("%s is put up with, when the upgrade may take %d ms, for %s ms", (reason, limit, patience) => {
  expect(patienceWith(ailment(reason), limit)).toBe(patience);
});

test("a container that runs between two crashes is in a crash loop still", () => {
  const status = {
    phase: "Running",
    conditions: NOT_READY,
    containerStatuses: [container({ running: {} }, { terminated: { reason: "Error", exitCode: 2 } }, 3)],
  };
  expect(problemOfPod(v.parse(Pod, { metadata: { name: "p" }, status }))).toMatchObject({
    reason: "CrashLoopBackOff",
    container: "c",
    restarts: 3,
  });
});

test("one that a node has evicted or lost ails no more, however often it had restarted", () => {
  const status = {
    phase: "Failed",
    reason: "Terminated",
    conditions: NOT_READY,
    containerStatuses: [container({ terminated: { reason: "Error", exitCode: 137 } }, {}, 4)],
  };
  const pod = v.parse(Pod, { metadata: { name: "p" }, status });
  expect(problemOfPod(pod)).toBeUndefined();
  expect(describePods([pod])).toBe("0 of 0 pods are ready");
});

test("pods that are done or leave don't count", () => {
  const pods = [
    { metadata: { name: "ready" }, status: { conditions: [{ type: "Ready", status: "True" }] } },
    { metadata: { name: "job" }, status: { phase: "Succeeded" } },
    { metadata: { name: "old", deletionTimestamp: "2026-01-01T00:00:00Z" }, status: { phase: "Running" } },
    { metadata: { name: "new" }, status: { phase: "Pending", conditions: NOT_READY } },
  ].map((pod) => v.parse(Pod, pod));
  expect(describePods(pods)).toBe("1 of 2 pods are ready; new: Pending, not ready");
});
