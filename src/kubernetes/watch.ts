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
  /** e.g. `fieldSelector=metadata.name=my-release-milvus` or `labelSelector=...` */
  selector: `${"fieldSelector" | "labelSelector"}=${string}`;
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
/** A cluster whose control plane is being upgraded is away for minutes: these pauses add up to four. */
const PAUSES_MS = [1000, 2000, 5000, 15_000, 30_000, 60_000, 120_000];
/** Before a stream that the API server has ended is taken up anew. */
const REST_MS = 250;

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
  const [kind, expression] = collection.selector.split(/=(.*)/s);
  const selector = `${kind}=${encodeURIComponent(expression ?? "")}`;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const list = v.parse(KubernetesList, await getRaw(kubectl, `${collection.path}?${selector}`));
      if (signal.aborted) return;
      failures = 0;
      follower.onList(list.items);
      const from = list.metadata?.resourceVersion ?? "";
      const query = `${selector}&watch=1&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${from}`;
      await streamChanges(kubectl, `${collection.path}?${query}`, follower, signal);
      await rest(REST_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      const pause = PAUSES_MS[failures];
      const final = !(error instanceof ActionError) || /forbidden/i.test(error.message);
      if (pause === undefined || final) throw error;
      failures += 1;
      onTrouble(error);
      await rest(pause, signal);
    }
  }
}

async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  // An abort ends the rest; the caller looks at the signal itself.
  await delay(milliseconds, undefined, { signal }).catch(() => {});
}

async function streamChanges(
  kubectl: Program,
  path: string,
  follower: Follower,
  signal: AbortSignal,
): Promise<void> {
  const output = await stream(kubectl, ["get", "--raw", path], {
    signal,
    onLine: (line) => {
      const json = signal.aborted ? undefined : parseLine(line);
      if (json === undefined) return;
      const event = v.parse(WatchEvent, json);
      // An ERROR says that the resourceVersion is too old; the API server then ends the stream.
      if (event.type === "ADDED" || event.type === "MODIFIED" || event.type === "DELETED") {
        follower.onChange(event.type, event.object);
      }
    },
  });
  if (output.exitCode !== 0 && !signal.aborted) throw explain(`The watch of ${path} ended.`, output);
}

/** A connection that breaks leaves half a line behind; what it would have said is in the next list. */
function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
