import type { PodProblem } from "./pod-problem.ts";

/** How a rollout is waited for. */
export interface RolloutLimit {
  /** helm_timeout, in milliseconds. */
  timeout: number;
  /** Milvus's parts crash until etcd, object store and message queue run, which are installed with them. */
  isInstallation: boolean;
}

/** The default of helm_timeout. The patience below grows with a longer one. */
const USUAL_TIMEOUT_MS = 15 * 60_000;

/** How long a pod may be in a state that rarely mends itself, in seconds. */
const PATIENCE_SECONDS: Record<string, number> = {
  // The same upgrade may still create what a pod refers to.
  InvalidImageName: 60,
  CreateContainerConfigError: 60,
  CreateContainerError: 60,
  FailedCreate: 60,
  // Registries fail for moments.
  ErrImagePull: 120,
  ImagePullBackOff: 120,
  Unschedulable: 300,
};
const CRASH_LOOP = "CrashLoopBackOff";

/**
 * Returns how long a problem may last, in milliseconds. Undefined: as long as the upgrade takes.
 *
 * In a crash loop only the time counts in which the container waits for its next start. The kubelet doubles
 * that wait after each crash, from 10 seconds to 5 minutes.
 */
export function patienceWith({ reason }: PodProblem, limit: RolloutLimit): number | undefined {
  const { timeout, isInstallation } = limit;
  if (reason === CRASH_LOOP) return isInstallation ? undefined : timeout * 0.6;
  const seconds = PATIENCE_SECONDS[reason];
  if (seconds === undefined) return undefined;
  return Math.min(seconds * 1000 * Math.max(1, timeout / USUAL_TIMEOUT_MS), timeout / 3);
}

/** How long one trouble of a pod has lasted. */
export interface Trouble {
  /** What tells one trouble from another. */
  key: string;
  /** Milliseconds that were counted before `since`. */
  counted: number;
  /** As performance.now(); undefined while the clock stands still. */
  since: number | undefined;
}

/** Reasons that alternate are one trouble. */
const SAME_TROUBLE: Record<string, string> = { ErrImagePull: "ImagePullBackOff" };

/**
 * Returns a pod's trouble after its newest state: each trouble starts a clock of its own, and the clock of a
 * crash loop stands still while the container runs.
 *
 * @param problem undefined when the pod is ready
 * @param now as performance.now()
 */
export function followTrouble(
  before: Trouble | undefined,
  problem: PodProblem | undefined,
  limit: RolloutLimit,
  now: number,
): Trouble | undefined {
  if (!problem) return undefined;
  if (patienceWith(problem, limit) === undefined) {
    return before && isCrashLoopOf(before, problem)
      ? { ...before, counted: timeIn(before, now), since: undefined }
      : undefined;
  }
  const key = keyOf(problem.container, SAME_TROUBLE[problem.reason] ?? problem.reason);
  if (before?.key !== key) return { key, counted: 0, since: now };
  return before.since === undefined ? { ...before, since: now } : before;
}

/** Returns how long a trouble has lasted, in milliseconds. */
export function timeIn({ counted, since }: Trouble, now: number): number {
  return counted + (since === undefined ? 0 : now - since);
}

function isCrashLoopOf({ key }: Trouble, { container, restarts }: PodProblem): boolean {
  return restarts > 0 && key === keyOf(container, CRASH_LOOP);
}

function keyOf(container: string | undefined, reason: string): string {
  return `${reason} ${container ?? ""}`;
}
