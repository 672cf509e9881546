import * as v from "valibot";
import { formatDuration } from "../base/duration.ts";
import { ActionError, messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { symptomIn } from "../base/symptom.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { Event, oldestFirst, Pod } from "../kubernetes/objects.ts";
import { type Collection, type Follower, follow } from "../kubernetes/watch.ts";
import { FAILED_CREATE, MissingPods } from "./missing-pods.ts";
import { followTrouble, patienceWith, type RolloutLimit, type Trouble, timeIn } from "./patience.ts";
import { describePods, isAboutScaleUp, type PodProblem, problemOfPod } from "./pod-problem.ts";
import { POD_SYMPTOMS } from "./pod-symptoms.ts";

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

interface WatchedPod {
  pod: Pod;
  trouble: Trouble | undefined;
  timer: NodeJS.Timeout | undefined;
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
  const pods = new Map<string, WatchedPod>();
  /** The newest event of the cluster autoscaler about each pod. */
  const scaleUps = new Map<string, Event>();
  const failed = new AbortController();
  const ended = new AbortController();

  const lastWords = (pod: string, container: string) =>
    api.log(namespace, pod, container, { lines: LOG_LINES, previous: true }).catch(messageOf);
  const giveUp = async (name: string, problem: PodProblem, patience: number) => {
    const { container, restarts } = problem;
    // A container that has never started has no log.
    const log = container && restarts > 0 ? await lastWords(name, container) : "";
    // The error has room only for the end of the log.
    if (log) info(`The last lines of container ${container} of pod ${namespace}/${name}:\n${log}`);
    failed.abort(podError(`${namespace}/${name}`, release, problem, patience, log));
  };
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
  const see = (pod: Pod) => {
    const { name } = pod.metadata;
    const before = pods.get(name);
    clearTimeout(before?.timer);
    const now = performance.now();
    const problem = problemOfPod(pod, scaleUps.get(name));
    const trouble = followTrouble(before?.trouble, problem, limit, now);
    const patience = problem && patienceWith(problem, limit);
    const timer =
      trouble && problem && patience !== undefined
        ? setTimeout(() => void giveUp(name, problem, patience), patience - timeIn(trouble, now))
        : undefined;
    pods.set(name, { pod, trouble, timer });
  };
  const allPods = () => [...pods.values()].map(({ pod }) => pod);
  const forget = (name: string) => {
    clearTimeout(pods.get(name)?.timer);
    pods.delete(name);
  };
  const seeEvent = (event: Event) => {
    if (!isAboutScaleUp(event)) return;
    const { name } = event.involvedObject;
    scaleUps.set(name, event);
    const watched = pods.get(name);
    if (watched) see(watched.pod);
  };

  const podFollower: Follower = {
    onList: (items) => {
      const listed = items.map((item) => v.parse(Pod, item));
      const names = new Set(listed.map(({ metadata }) => metadata.name));
      for (const name of [...pods.keys()]) if (!names.has(name)) forget(name);
      for (const pod of listed) see(pod);
      onPods(allPods());
    },
    onChange: (type, item) => {
      const pod = v.parse(Pod, item);
      if (type === "DELETED") forget(pod.metadata.name);
      else see(pod);
      onPods(allPods());
    },
  };
  const eventFollower: Follower = {
    onList: (items) => {
      for (const event of oldestFirst(items.map((item) => v.parse(Event, item)))) seeEvent(event);
    },
    onChange: (type, item) => {
      if (type !== "DELETED") seeEvent(v.parse(Event, item));
    },
  };
  const creationFollower: Follower = {
    onList: (items) => {
      for (const item of items) missing.see(v.parse(Event, item));
    },
    onChange: (type, item) => {
      if (type !== "DELETED") missing.see(v.parse(Event, item));
    },
  };
  // Without a watch the upgrade only fails later, at Helm's own limit.
  const watch = (what: string, collection: Collection, follower: Follower) =>
    follow(api, collection, follower, ended.signal, (trouble) => info(trouble.message)).catch(
      (error: unknown) => info(`${what} can't be watched: ${messageOf(error)}`),
    );
  const ofRelease = `labelSelector=app.kubernetes.io/instance=${release}` as const;
  const ofPods = "fieldSelector=involvedObject.kind=Pod";
  const ofCreations = `fieldSelector=reason=${FAILED_CREATE}` as const;
  const watching = [
    watch("The release's pods", { kind: "Pod", namespace, selector: ofRelease }, podFollower),
    watch("The events of the release's pods", { kind: "Event", namespace, selector: ofPods }, eventFollower),
    watch(
      "Pods that can't be created",
      { kind: "Event", namespace, selector: ofCreations },
      creationFollower,
    ),
  ];

  return {
    failed: failed.signal,
    describe: () => [describePods(allPods(), scaleUps), ...missing.describe()].join("; "),
    missing: () => missing.describe(),
    close: async () => {
      ended.abort();
      for (const name of [...pods.keys()]) forget(name);
      missing.close();
      await Promise.all(watching);
    },
  };
}
