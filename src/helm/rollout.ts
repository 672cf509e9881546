import * as v from "valibot";
import { formatDuration } from "../base/duration.ts";
import { ActionError, messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { symptomIn } from "../base/symptom.ts";
import type { ApiServer, Selector } from "../kubernetes/api.ts";
import { Event, oldestFirst, Pod } from "../kubernetes/objects.ts";
import { type Follower, follow } from "../kubernetes/watch.ts";
import { FAILED_CREATE, MissingPods } from "./missing-pods.ts";
import type { RolloutLimit } from "./patience.ts";
import type { PodProblem } from "./pod-problem.ts";
import { POD_SYMPTOMS } from "./pod-symptoms.ts";
import { WatchedPods } from "./watched-pods.ts";

const LOG_LINES = 25;
const AFTERWARDS =
  "Then run again: this run has ended the upgrade, and Helm has recorded it as failed. If it only needs more time, raise helm_timeout: the patience grows with it.";

/** The pods of a release while it is being upgraded. */
export interface Rollout {
  /** Aborted with an ActionError when a pod has had a problem for too long. */
  failed: AbortSignal;
  /** Returns one line about how far the rollout is. */
  describe(): string;
  /** Returns a line for each workload whose pods Kubernetes doesn't create. */
  missing(): string[];
  /** Ends the watch. */
  close(): Promise<void>;
}

/**
 * Returns the error for a pod that has had a problem for too long.
 *
 * @param pod `namespace/name`
 * @param patience how long the problem has lasted, in milliseconds
 * @param log the last lines of the container; empty if it has none
 */
function podError(
  pod: string,
  release: string,
  problem: PodProblem,
  patience: number,
  log: string,
): ActionError {
  const { reason, description, container } = problem;
  const known = symptomIn(reason, POD_SYMPTOMS);
  const lasted =
    reason === "CrashLoopBackOff"
      ? `it has waited for its next start for ${formatDuration(patience)} in all.`
      : `it has been so for ${formatDuration(patience)}.`;
  const remedy =
    known?.remedy ?? "mend what the pod complains of (values, image, Secrets, room on the nodes).";
  return new ActionError(`Pod ${pod} of release ${release} can't get ready: ${description}.`, {
    why: `${lasted}${log ? ` The last lines of container ${container}:\n${log}` : ""}`,
    fix: `${remedy} ${AFTERWARDS}`,
    symptom: known?.id,
  });
}

/**
 * Returns the error for pods that Kubernetes has not created for too long.
 *
 * @param maker what should create them, e.g. `StatefulSet milvus/my-release-etcd`
 * @param patience how long it has not created them, in milliseconds
 */
function creationError(
  maker: string,
  release: string,
  { reason, description }: PodProblem,
  patience: number,
): ActionError {
  const known = symptomIn(reason, POD_SYMPTOMS);
  return new ActionError(`Pods of ${maker} of release ${release} can't be created.`, {
    why: `it has been so for ${formatDuration(patience)}: ${description}`,
    fix: `${known?.remedy} ${AFTERWARDS}`,
    symptom: known?.id,
  });
}

/**
 * Watches a release's pods during an upgrade. A pod that can't get ready ends the upgrade early: Helm would
 * wait until its limit and then say only that it timed out.
 *
 * @param onPods called with all pods, at first and whenever one of them changes
 */
export function watchRollout(
  api: ApiServer,
  namespace: string,
  release: string,
  limit: RolloutLimit,
  onPods: (pods: readonly Pod[]) => void = () => {},
): Rollout {
  const failed = new AbortController();
  const ended = new AbortController();

  const lastWords = (pod: string, container: string) =>
    api.log(namespace, pod, container, { lines: LOG_LINES, previous: true }).catch(messageOf);
  const failFor = async (name: string, problem: PodProblem, patience: number) => {
    const { container, restarts } = problem;
    // A container that has never started has no log.
    const log = container && restarts > 0 ? await lastWords(name, container) : "";
    // The error has room only for the end of the log.
    if (log) info(`The last lines of container ${container} of pod ${namespace}/${name}:\n${log}`);
    failed.abort(podError(`${namespace}/${name}`, release, problem, patience, log));
  };
  const pods = new WatchedPods({
    limit,
    giveUp: (name, problem, patience) => void failFor(name, problem, patience),
  });
  const missing = new MissingPods({
    release,
    limit,
    find: async (kind, name) => {
      const { items } = await api
        .list(kind, namespace, `fieldSelector=metadata.name=${name}`)
        // Then the upgrade only fails later, at Helm's own limit.
        .catch(() => ({ items: [] }));
      return items[0];
    },
    giveUp: (title, problem, patience) => {
      const [kind, name] = title.split(" ");
      failed.abort(creationError(`${kind} ${namespace}/${name}`, release, problem, patience));
    },
  });

  const podFollower: Follower = {
    onList: (items) => {
      pods.seeAll(items.map((item) => v.parse(Pod, item)));
      onPods(pods.all());
    },
    onChange: (type, item) => {
      const pod = v.parse(Pod, item);
      if (type === "DELETED") pods.forget(pod.metadata.name);
      else pods.see(pod);
      onPods(pods.all());
    },
  };
  // Without a watch the upgrade only fails later, at Helm's own limit.
  const watch = (what: string, kind: "Pod" | "Event", selector: Selector, follower: Follower) =>
    follow(api, { kind, namespace, selector }, follower, ended.signal, (trouble) =>
      info(trouble.message),
    ).catch((error: unknown) => info(`${what} can't be watched: ${messageOf(error)}`));
  const ofRelease = `labelSelector=app.kubernetes.io/instance=${release}` as const;
  const ofPods = "fieldSelector=involvedObject.kind=Pod";
  const ofCreations = `fieldSelector=reason=${FAILED_CREATE}` as const;
  const watching = [
    watch("The release's pods", "Pod", ofRelease, podFollower),
    watch(
      "The events of the release's pods",
      "Event",
      ofPods,
      eventFollower((event) => pods.seeEvent(event)),
    ),
    watch(
      "Pods that can't be created",
      "Event",
      ofCreations,
      eventFollower((event) => missing.see(event)),
    ),
  ];

  return {
    failed: failed.signal,
    describe: () => [pods.describe(), ...missing.describe()].join("; "),
    missing: () => missing.describe(),
    close: async () => {
      ended.abort();
      pods.close();
      missing.close();
      await Promise.all(watching);
    },
  };
}

/** Hands each event on, those of a list by age: the newest one comes last. */
function eventFollower(see: (event: Event) => void): Follower {
  return {
    onList: (items) => {
      for (const event of oldestFirst(items.map((item) => v.parse(Event, item)))) see(event);
    },
    onChange: (type, item) => {
      if (type !== "DELETED") see(v.parse(Event, item));
    },
  };
}
