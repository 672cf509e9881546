import * as v from "valibot";
import { expect, test } from "vitest";
import { problemOfPod } from "../../src/helm/rollout.ts";
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
  ["just created", undefined, "p: no status, not ready"],
  ["running, not ready yet", { phase: "Running", conditions: NOT_READY }, "p: Running, not ready"],
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
    "p: Unschedulable (0/3 nodes: Insufficient cpu.)",
  ],
  [
    "unpullable image",
    {
      containerStatuses: [
        container({ waiting: { reason: "ImagePullBackOff", message: "Back-off pulling" } }),
      ],
    },
    "p: ImagePullBackOff (Back-off pulling)",
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
    "p: CrashLoopBackOff, last exit: Error (code 134)",
  ],
  [
    "running again after a crash",
    {
      containerStatuses: [
        container({ running: {} }, { terminated: { reason: "OOMKilled", exitCode: 137 } }, 2),
      ],
    },
    "p: restarted 2 times, last exit: OOMKilled (code 137)",
  ],
  [
    "ended without a code",
    { phase: "Failed", containerStatuses: [container({ terminated: { reason: "ContainerStatusUnknown" } })] },
    "p: restarted 0 times, last exit: ContainerStatusUnknown (code unknown)",
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
    "p: ErrImagePull (not found)",
  ],
])("%s", (_, status, problem) => {
  expect(problemOfPod(v.parse(Pod, { metadata: { name: "p" }, status }))).toBe(problem);
});
