import * as v from "valibot";
import type { Event } from "../kubernetes/objects.ts";
import { HELM_RELEASE } from "../kubernetes/ownership.ts";
import { patienceWith, type RolloutLimit } from "./patience.ts";
import type { PodProblem } from "./pod-problem.ts";

/** The reason of the events in which Kubernetes says that it can't create a pod. */
export const FAILED_CREATE = "FailedCreate";
/** The kinds that create pods: a ReplicaSet those of a Deployment, a StatefulSet its own. */
const MAKERS = ["ReplicaSet", "StatefulSet"] as const;
export type Maker = (typeof MAKERS)[number];

/** How often a refusal that may pass is looked at again, in milliseconds. */
const LOOK_AGAIN_MS = 30_000;
/** Pods that leave make room in a quota, and a webhook may answer again. */
const MAY_PASS = /exceeded quota|failed calling webhook|Internal error|timeout|timed out|connection refused/i;

const MakerObject = v.looseObject({
  metadata: v.looseObject({
    annotations: v.optional(v.record(v.string(), v.string()), () => ({})),
  }),
  spec: v.looseObject({ replicas: v.optional(v.number(), 1) }),
  status: v.optional(v.looseObject({ replicas: v.optional(v.number(), 0) }), () => ({ replicas: 0 })),
});

interface Lack {
  problem: PodProblem;
  /** Whether its object was seen to lack pods. */
  isSeen: boolean;
  /** Until it is looked at again. */
  timer: NodeJS.Timeout | undefined;
}

/** What {@link MissingPods} needs to know of the world. */
export interface MissingPodsOptions {
  release: string;
  limit: RolloutLimit;
  /** Returns a ReplicaSet or StatefulSet; undefined if it is gone, or can't be seen. */
  find(kind: Maker, name: string): Promise<unknown>;
  /** Called when pods have been missing for too long. */
  giveUp(title: string, problem: PodProblem, patience: number): void;
}

/**
 * The pods of a release that Kubernetes doesn't create, because a policy, a quota or the API server refuses
 * them. No pod shows the cause then, and Helm would only time out.
 */
export class MissingPods {
  readonly #options: MissingPodsOptions;
  readonly #lacks = new Map<string, Lack>();

  constructor(options: MissingPodsOptions) {
    this.#options = options;
  }

  /** Takes an event of the namespace. Its object may belong to another release, or have its pods by now. */
  see({ involvedObject: { kind, name }, reason, message }: Event): void {
    const maker = MAKERS.find((each) => each === kind);
    if (!maker || reason !== FAILED_CREATE) return;
    const key = `${maker} ${name}`;
    const problem = problemIn(message);
    const known = this.#lacks.get(key);
    if (known) {
      known.problem = problem;
      return;
    }
    const lack: Lack = { problem, isSeen: false, timer: undefined };
    this.#lacks.set(key, lack);
    void this.#look(maker, name, lack, performance.now());
  }

  /** Returns a line for each object that lacks pods. */
  describe(): string[] {
    return [...this.#lacks]
      .filter(([, { isSeen }]) => isSeen)
      .map(([title, { problem }]) => `${title} lacks pods: ${problem.description}`);
  }

  close(): void {
    for (const { timer } of this.#lacks.values()) clearTimeout(timer);
    this.#lacks.clear();
  }

  /** @param since when the first event was seen, as performance.now() */
  async #look(maker: Maker, name: string, lack: Lack, since: number): Promise<void> {
    const { find, release, limit, giveUp } = this.#options;
    const key = `${maker} ${name}`;
    const isMissing = lacksPods(await find(maker, name), release);
    // It may have been closed meanwhile.
    if (this.#lacks.get(key) !== lack) return;
    if (!isMissing) {
      this.#lacks.delete(key);
      return;
    }
    lack.isSeen = true;
    const patience = patienceWith(lack.problem, limit);
    const left = patience === undefined ? LOOK_AGAIN_MS : since + patience - performance.now();
    if (patience !== undefined && left <= 0) {
      giveUp(key, lack.problem, patience);
      return;
    }
    const pause = Math.min(left, LOOK_AGAIN_MS);
    lack.timer = setTimeout(() => void this.#look(maker, name, lack, since), pause);
  }
}

function lacksPods(object: unknown, release: string): boolean {
  if (!v.is(MakerObject, object)) return false;
  const { metadata, spec, status } = v.parse(MakerObject, object);
  // Kubernetes copies a Deployment's annotations to its ReplicaSets.
  return metadata.annotations[HELM_RELEASE] === release && status.replicas < spec.replicas;
}

function problemIn(message: string): PodProblem {
  const reason = MAY_PASS.test(message) ? "" : FAILED_CREATE;
  return { reason, container: undefined, restarts: 0, description: message };
}
