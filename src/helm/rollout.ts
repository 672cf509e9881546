import * as v from "valibot";
import { formatDuration } from "../base/duration.ts";
import { ActionError, messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { Pod } from "../kubernetes/objects.ts";
import { follow } from "../kubernetes/watch.ts";

/** How long a pod may be in a state that rarely mends itself, in seconds, before the rollout counts as failed. */
const PATIENCE_SECONDS: Record<string, number> = {
  // The same upgrade may still create what a pod refers to.
  InvalidImageName: 60,
  CreateContainerConfigError: 60,
  CreateContainerError: 60,
  // Registries fail for moments.
  ErrImagePull: 120,
  ImagePullBackOff: 120,
  // Milvus's components crash until etcd, the object store and the message queue run. New nodes take minutes.
  CrashLoopBackOff: 300,
  Unschedulable: 300,
};
const LOG_LINES = 25;

/** What keeps a pod from getting ready. */
export interface PodProblem {
  /** A key of {@link PATIENCE_SECONDS}, or another of Kubernetes's reasons, which is no cause for alarm. */
  reason: string;
  /** The container in question; undefined when it is the pod as a whole. */
  container: string | undefined;
  restarts: number;
  /** In words, without the pod's name. */
  description: string;
}

/**
 * Tells whether a rollout doesn't wait for a pod: it is being deleted, has completed, or a node evicted it. Kubernetes
 * replaces such a pod and keeps it for a while.
 */
function isOver({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined || /^(Succeeded|Failed)$/.test(status.phase);
}

/** Returns why a pod isn't ready, undefined when it is, or is over. */
export function problemOfPod(pod: Pod): PodProblem | undefined {
  if (isOver(pod)) return undefined;
  const { status } = pod;
  if (status.conditions.some(({ type, status: value }) => type === "Ready" && value === "True"))
    return undefined;
  const unscheduled = status.conditions.find(
    ({ type, status: value }) => type === "PodScheduled" && value === "False",
  );
  if (unscheduled) {
    const { reason, message } = unscheduled;
    return { reason, container: undefined, restarts: 0, description: `${reason} (${message})` };
  }
  // While an init container isn't done, the others only say PodInitializing.
  const containers = [...status.initContainerStatuses, ...status.containerStatuses];
  for (const { name, state, lastState, restartCount: restarts } of containers.filter(({ ready }) => !ready)) {
    const { waiting, terminated } = state;
    const exit = terminated ?? lastState.terminated;
    const last = exit ? `, last exit: ${exit.reason} (code ${exit.exitCode ?? "unknown"})` : "";
    if (waiting?.reason) {
      // A crash loop's message only repeats the names of pod and container.
      const message = waiting.message && waiting.reason !== "CrashLoopBackOff" ? ` (${waiting.message})` : "";
      return {
        reason: waiting.reason,
        container: name,
        restarts,
        description: `${waiting.reason}${message}${last}`,
      };
    }
    if (exit) {
      // Between two crashes a container runs for a moment. The loop isn't over then.
      const reason = restarts > 0 ? "CrashLoopBackOff" : status.phase;
      return { reason, container: name, restarts, description: `restarted ${restarts} times${last}` };
    }
  }
  return {
    reason: status.phase,
    container: undefined,
    restarts: 0,
    description: `${status.phase || "no status"}, not ready`,
  };
}

/**
 * Returns how long a problem may last, in milliseconds: at most a third of the upgrade's limit. Undefined: as long as the
 * upgrade takes.
 */
export function patienceWith({ reason }: PodProblem, upgradeLimit: number): number | undefined {
  const seconds = PATIENCE_SECONDS[reason];
  return seconds === undefined ? undefined : Math.min(seconds * 1000, upgradeLimit / 3);
}

/** The pods of a release while it is being upgraded. */
export interface Rollout {
  /** Aborted with an ActionError when a pod has had a problem for too long. */
  failed: AbortSignal;
  /** Returns one line about how far the rollout is. */
  describe(): string;
  /** Ends the watch. */
  close(): Promise<void>;
}

/**
 * Watches a release's pods during an upgrade. A pod that can't get ready ends the upgrade early: Helm would wait until
 * its limit and then say only that it timed out.
 *
 * @param upgradeLimit milliseconds
 */
export function watchRollout(
  api: ApiServer,
  namespace: string,
  release: string,
  upgradeLimit: number,
): Rollout {
  const pods = new Map<string, { pod: Pod; ailing?: { since: number; timer: NodeJS.Timeout | undefined } }>();
  const failed = new AbortController();
  const ended = new AbortController();

  const lastWords = (pod: string, container: string) =>
    api.log(namespace, pod, container, { lines: LOG_LINES, previous: true }).catch(messageOf);
  const giveUp = async (name: string, ailment: PodProblem, patience: number) => {
    const { container, restarts } = ailment;
    // A container that has never started has no log.
    const log = container && restarts > 0 ? await lastWords(name, container) : "";
    // The error has room only for the end of the log.
    if (log) info(`The last lines of container ${container} of pod ${namespace}/${name}:\n${log}`);
    failed.abort(
      new ActionError(
        `Pod ${namespace}/${name} of release ${release} can't get ready: ${ailment.description}.`,
        {
          why: `it has been so for ${formatDuration(patience)}.${log ? ` The last lines of container ${container}:\n${log}` : ""}`,
          fix: "mend what the pod complains of (values, image, Secrets, room on the nodes) and run again; the upgrade was ended, Helm has recorded it as failed.",
        },
      ),
    );
  };
  const see = (pod: Pod) => {
    const { name } = pod.metadata;
    const report = pods.get(name);
    const ailment = problemOfPod(pod);
    const patience = ailment && patienceWith(ailment, upgradeLimit);
    clearTimeout(report?.ailing?.timer);
    if (!ailment || patience === undefined) {
      pods.set(name, { pod });
      return;
    }
    const since = report?.ailing?.since ?? Date.now();
    const timer = setTimeout(() => void giveUp(name, ailment, patience), since + patience - Date.now());
    pods.set(name, { pod, ailing: { since, timer } });
  };
  const forget = (name: string) => {
    clearTimeout(pods.get(name)?.ailing?.timer);
    pods.delete(name);
  };

  const watching = follow(
    api,
    { kind: "Pod", namespace, selector: `labelSelector=app.kubernetes.io/instance=${release}` },
    {
      onList: (items) => {
        const listed = items.map((item) => v.parse(Pod, item));
        const names = new Set(listed.map(({ metadata }) => metadata.name));
        for (const name of [...pods.keys()]) if (!names.has(name)) forget(name);
        for (const pod of listed) see(pod);
      },
      onChange: (type, item) => {
        const pod = v.parse(Pod, item);
        if (type === "DELETED") forget(pod.metadata.name);
        else see(pod);
      },
    },
    ended.signal,
    (trouble) => info(trouble.message),
    // Without this watch the upgrade only fails later, at Helm's own limit.
  ).catch((error: unknown) => info(`The release's pods can't be watched: ${messageOf(error)}`));

  return {
    failed: failed.signal,
    describe: () => describePods([...pods.values()].map(({ pod }) => pod)),
    close: async () => {
      ended.abort();
      for (const name of [...pods.keys()]) forget(name);
      await watching;
    },
  };
}

/** Returns one line about the pods of a rollout. Completed and evicted pods don't count. */
export function describePods(pods: readonly Pod[]): string {
  const counted = pods.filter((pod) => !isOver(pod));
  const problems = counted.flatMap((pod) => {
    const ailment = problemOfPod(pod);
    return ailment ? [`${pod.metadata.name}: ${ailment.description}`] : [];
  });
  const shown = problems.length > 0 ? `; ${problems.slice(0, 3).join("; ")}` : "";
  return `${counted.length - problems.length} of ${counted.length} pods are ready${shown}`;
}
