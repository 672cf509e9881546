import type { Event, Pod } from "../kubernetes/objects.ts";
import { followTrouble, patienceWith, type RolloutLimit, type Trouble, timeIn } from "./patience.ts";
import { describePods, isAboutScaleUp, type PodProblem, problemOfPod } from "./pod-problem.ts";

interface WatchedPod {
  pod: Pod;
  trouble: Trouble | undefined;
  /** Runs while the pod has a problem. */
  timer: NodeJS.Timeout | undefined;
}

/** What {@link WatchedPods} needs to know. */
export interface WatchedPodsOptions {
  limit: RolloutLimit;
  /** Called when a pod has had a problem for too long: for `patience` milliseconds. */
  giveUp(name: string, problem: PodProblem, patience: number): void;
}

/** The pods of a release, as a watch shows them, and how long each one has had a problem. */
export class WatchedPods {
  readonly #options: WatchedPodsOptions;
  readonly #pods = new Map<string, WatchedPod>();
  /** The newest event of the cluster autoscaler about each pod. */
  readonly #scaleUps = new Map<string, Event>();

  constructor(options: WatchedPodsOptions) {
    this.#options = options;
  }

  /** Takes a new list of the pods. Pods that it lacks are gone. */
  seeAll(pods: readonly Pod[]): void {
    const names = new Set(pods.map(({ metadata }) => metadata.name));
    for (const name of [...this.#pods.keys()]) if (!names.has(name)) this.forget(name);
    for (const pod of pods) this.see(pod);
  }

  /** Takes a new or changed pod. */
  see(pod: Pod): void {
    const { limit, giveUp } = this.#options;
    const { name } = pod.metadata;
    const before = this.#pods.get(name);
    clearTimeout(before?.timer);
    const now = performance.now();
    const problem = problemOfPod(pod, this.#scaleUps.get(name));
    const trouble = followTrouble(before?.trouble, problem, limit, now);
    const patience = problem && patienceWith(problem, limit);
    const timer =
      trouble && problem && patience !== undefined
        ? setTimeout(() => giveUp(name, problem, patience), patience - timeIn(trouble, now))
        : undefined;
    this.#pods.set(name, { pod, trouble, timer });
  }

  /** Takes an event about a pod. Only those of the cluster autoscaler count. */
  seeEvent(event: Event): void {
    if (!isAboutScaleUp(event)) return;
    const { name } = event.involvedObject;
    this.#scaleUps.set(name, event);
    const watched = this.#pods.get(name);
    if (watched) this.see(watched.pod);
  }

  /** Takes the deletion of a pod. */
  forget(name: string): void {
    clearTimeout(this.#pods.get(name)?.timer);
    this.#pods.delete(name);
  }

  all(): Pod[] {
    return [...this.#pods.values()].map(({ pod }) => pod);
  }

  /** Returns one line about how far the pods are. */
  describe(): string {
    return describePods(this.all(), this.#scaleUps);
  }

  close(): void {
    this.seeAll([]);
  }
}
