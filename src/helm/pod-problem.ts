import type { Event, Pod } from "../kubernetes/objects.ts";

/** What keeps a pod from getting ready. */
export interface PodProblem {
  /** One of Kubernetes's reasons, or {@link AWAITS_NODE}. */
  reason: string;
  /** The container in question; undefined when it is the pod as a whole. */
  container: string | undefined;
  restarts: number;
  /** In words, without the pod's name. */
  description: string;
}

/** No node takes the pod, but the cluster autoscaler is creating one. */
export const AWAITS_NODE = "AwaitsNode";

/**
 * What the cluster autoscaler says of a pod that no node takes (kubernetes/autoscaler,
 * cluster-autoscaler/processors/ status and GKE's documentation of its events). GKE Autopilot says the same.
 */
const SCALE_UP_REASONS: readonly string[] = ["TriggeredScaleUp", "NotTriggerScaleUp", "FailedScaleUp"];

/** Tells whether an event of a pod says that a node is, or is not, on its way. */
export function isAboutScaleUp({ involvedObject, reason }: Event): boolean {
  return involvedObject.kind === "Pod" && SCALE_UP_REASONS.includes(reason);
}

/**
 * Tells whether a rollout doesn't wait for a pod: it is being deleted, has completed, or a node evicted it.
 * Kubernetes replaces such a pod and keeps it for a while.
 */
function isOver({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined || /^(Succeeded|Failed)$/.test(status.phase);
}

/**
 * Returns why a pod isn't ready; undefined when it is ready, or when no rollout waits for it.
 *
 * @param scaleUp the newest event of the cluster autoscaler about the pod
 */
export function problemOfPod(pod: Pod, scaleUp?: Event): PodProblem | undefined {
  if (isOver(pod)) return undefined;
  const { conditions } = pod.status;
  if (conditions.some(({ type, status }) => type === "Ready" && status === "True")) return undefined;
  const unscheduled = conditions.find(({ type, status }) => type === "PodScheduled" && status === "False");
  if (unscheduled) return unscheduledProblem(unscheduled, scaleUp);
  return containerProblem(pod) ?? gateProblem(pod) ?? wholePod(pod.status.phase, "not ready");
}

/** Returns one line about the pods of a rollout. Completed and evicted pods don't count. */
export function describePods(pods: readonly Pod[], scaleUps: ReadonlyMap<string, Event> = new Map()): string {
  const counted = pods.filter((pod) => !isOver(pod));
  const problems = counted.flatMap((pod) => {
    const problem = problemOfPod(pod, scaleUps.get(pod.metadata.name));
    return problem ? [`${pod.metadata.name}: ${problem.description}`] : [];
  });
  const shown = problems.length > 0 ? `; ${problems.slice(0, 3).join("; ")}` : "";
  return `${counted.length - problems.length} of ${counted.length} pods are ready${shown}`;
}

function unscheduledProblem(
  { reason, message }: Pod["status"]["conditions"][number],
  scaleUp: Event | undefined,
): PodProblem {
  const isComing = scaleUp?.reason === "TriggeredScaleUp" && reason === "Unschedulable";
  const added = scaleUp ? `; ${isComing ? "a node is on its way: " : ""}${scaleUp.message}` : "";
  const description = `${reason} (${message}${added})`;
  return { reason: isComing ? AWAITS_NODE : reason, container: undefined, restarts: 0, description };
}

function containerProblem({ status }: Pod): PodProblem | undefined {
  // While an init container isn't done, the others only say PodInitializing.
  const containers = [...status.initContainerStatuses, ...status.containerStatuses];
  for (const { name, state, lastState, restartCount: restarts } of containers.filter(({ ready }) => !ready)) {
    const { waiting, terminated } = state;
    const exit = terminated ?? lastState.terminated;
    const last = exit ? `, last exit: ${exit.reason} (code ${exit.exitCode ?? "unknown"})` : "";
    if (waiting?.reason) {
      // A crash loop's message only repeats the names of pod and container.
      const message = waiting.message && waiting.reason !== "CrashLoopBackOff" ? ` (${waiting.message})` : "";
      const description = `${waiting.reason}${message}${last}`;
      return { reason: waiting.reason, container: name, restarts, description };
    }
    // A container that runs again may get ready this time.
    if (exit) {
      const description = `restarted ${restarts} times${last}`;
      return { reason: status.phase, container: name, restarts, description };
    }
  }
  return undefined;
}

/**
 * GKE adds the gate cloud.google.com/load-balancer-neg-ready: it opens once a load
 * balancer finds the pod healthy.
 */
function gateProblem({ spec, status }: Pod): PodProblem | undefined {
  const isRunning = status.conditions.some(
    ({ type, status: value }) => type === "ContainersReady" && value === "True",
  );
  const conditionOf = (gate: string) => status.conditions.find(({ type }) => type === gate);
  const closed = spec.readinessGates.find(
    ({ conditionType }) => conditionOf(conditionType)?.status !== "True",
  );
  if (!isRunning || !closed) return undefined;
  const { message } = conditionOf(closed.conditionType) ?? { message: "" };
  const evidence = message === "" ? "" : ` (${message})`;
  return wholePod(
    status.phase,
    `its containers are ready, but not its readiness gate ${closed.conditionType}${evidence}`,
  );
}

function wholePod(phase: string, state: string): PodProblem {
  return {
    reason: phase,
    container: undefined,
    restarts: 0,
    description: `${phase || "no status"}, ${state}`,
  };
}
