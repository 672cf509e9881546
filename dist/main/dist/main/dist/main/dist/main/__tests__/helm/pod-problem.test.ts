import * as v from "valibot";
import { expect, test } from "vitest";
import { AWAITS_NODE, describePods, problemOfPod } from "../../src/helm/pod-problem.ts";
import { Event, Pod } from "../../src/kubernetes/objects.ts";

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

test("a container that runs again is not in a crash loop", () => {
  const status = {
    phase: "Running",
    conditions: NOT_READY,
    containerStatuses: [container({ running: {} }, { terminated: { reason: "Error", exitCode: 2 } }, 3)],
  };
  expect(problemOfPod(v.parse(Pod, { metadata: { name: "p" }, status }))).toMatchObject({
    reason: "Running",
    container: "c",
    restarts: 3,
  });
});

test.each<[string, object | undefined, string, string]>([
  ["nothing", undefined, "Unschedulable", "Unschedulable (no node fits)"],
  [
    "that a node comes",
    { reason: "TriggeredScaleUp", message: "pod triggered scale-up: [{a 0->1 (max: 3)}]" },
    AWAITS_NODE,
    "Unschedulable (no node fits; a node is on its way: pod triggered scale-up: [{a 0->1 (max: 3)}])",
  ],
  [
    "that no node would help",
    { reason: "NotTriggerScaleUp", message: "pod didn't trigger scale-up: 1 max node group size reached" },
    "Unschedulable",
    "Unschedulable (no node fits; pod didn't trigger scale-up: 1 max node group size reached)",
  ],
  [
    "that Google has no machines",
    { reason: "FailedScaleUp", message: "Node scale up failed: GCE out of resources." },
    "Unschedulable",
    "Unschedulable (no node fits; Node scale up failed: GCE out of resources.)",
  ],
])("a pod that no node takes; the cluster autoscaler says %s", (_, said, reason, description) => {
  const condition = {
    type: "PodScheduled",
    status: "False",
    reason: "Unschedulable",
    message: "no node fits",
  };
  const pod = v.parse(Pod, {
    metadata: { name: "p" },
    status: { phase: "Pending", conditions: [condition] },
  });
  const event = said && v.parse(Event, { metadata: { name: "e" }, involvedObject: { name: "p" }, ...said });
  expect(problemOfPod(pod, event)).toMatchObject({ reason, description });
});

test.each<[string, object[], string]>([
  ["isn't there yet", [], ""],
  [
    "is closed",
    [{ type: "cloud.google.com/load-balancer-neg-ready", status: "False", message: "Waiting for pod." }],
    " (Waiting for pod.)",
  ],
])("a pod whose readiness gate's condition %s", (_, condition, evidence) => {
  const gate = "cloud.google.com/load-balancer-neg-ready";
  const conditions = [...NOT_READY, { type: "ContainersReady", status: "True" }, ...condition];
  const pod = v.parse(Pod, {
    metadata: { name: "p" },
    spec: { readinessGates: [{ conditionType: gate }] },
    status: { phase: "Running", conditions },
  });
  expect(problemOfPod(pod)?.description).toBe(
    `Running, its containers are ready, but not its readiness gate ${gate}${evidence}`,
  );
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
