import { setTimeout as delay } from "node:timers/promises";
import * as v from "valibot";
import { ActionError } from "../errors.ts";
import { type Program, stream } from "../process.ts";
import { explain, getRaw } from "./kubectl.ts";
import { KubernetesList } from "./objects.ts";

/** A collection of the API server's, e.g. the Ingresses of a namespace that have a certain name. */
export interface Collection {
  /** e.g. `/apis/networking.k8s.io/v1/namespaces/default/ingresses` */
  path: string;
  /** e.g. `metadata.name=my-release-milvus` */
  fieldSelector: string;
}

export interface Follower {
  /** Called with everything there is: at the start, and again whenever the watch had to be taken up anew. */
  onList(items: unknown[]): void;
  /** Called with each change as it happens. */
  onChange(type: "ADDED" | "MODIFIED" | "DELETED", item: unknown): void;
}

const WatchEvent = v.variant("type", [
  v.object({ type: v.picklist(["ADDED", "MODIFIED", "DELETED"]), object: v.unknown() }),
  v.object({ type: v.picklist(["BOOKMARK", "ERROR"]), object: v.unknown() }),
]);

/** Longer than the API server's own limit, so that it decides when a watch ends. */
const WATCH_SECONDS = 3600;
/** A cluster that is being upgraded is away for minutes: seven tries at these pauses take four. */
const PAUSES_MS = [1000, 2000, 5000, 15_000, 30_000, 60_000, 120_000];

/**
 * Follows a collection until `signal` is aborted: lists it, then streams its changes, and takes the stream up
 * anew from a fresh list when the API server ends it.
 *
 * @param onTrouble called with what went wrong each time that the API server couldn't be read
 * @throws ActionError when the API server can't be read for several minutes
 */
export async function follow(
  kubectl: Program,
  collection: Collection,
  follower: Follower,
  signal: AbortSignal,
  onTrouble: (error: ActionError) => void,
): Promise<void> {
  const selector = `fieldSelector=${encodeURIComponent(collection.fieldSelector)}`;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const list = v.parse(KubernetesList, await getRaw(kubectl, `${collection.path}?${selector}`));
      if (signal.aborted) return;
      follower.onList(list.items);
      const from = list.metadata?.resourceVersion ?? "";
      const query = `${selector}&watch=1&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${from}`;
      await streamChanges(kubectl, `${collection.path}?${query}`, follower, signal, () => {
        failures = 0;
      });
    } catch (error) {
      const pause = PAUSES_MS[failures];
      if (signal.aborted) return;
      if (pause === undefined || !(error instanceof ActionError)) throw error;
      failures += 1;
      onTrouble(error);
      await delay(pause, undefined, { signal }).catch(() => {});
    }
  }
}

async function streamChanges(
  kubectl: Program,
  path: string,
  follower: Follower,
  signal: AbortSignal,
  onRead: () => void,
): Promise<void> {
  const output = await stream(kubectl, ["get", "--raw", path], {
    signal,
    onLine: (line) => {
      if (signal.aborted || line === "") return;
      const event = v.parse(WatchEvent, JSON.parse(line));
      onRead();
      // An ERROR says that the resourceVersion is too old; the API server then ends the stream.
      if (event.type === "ADDED" || event.type === "MODIFIED" || event.type === "DELETED") {
        follower.onChange(event.type, event.object);
      }
    },
  });
  if (output.exitCode !== 0 && !signal.aborted) throw explain(`The watch of ${path} ended.`, output);
}
