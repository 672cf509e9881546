import { setTimeout as delay } from "node:timers/promises";
import * as v from "valibot";
import { ActionError, messageOf } from "../base/errors.ts";
import type { ApiServer, Kind, Selector } from "./api.ts";

/** Some objects of a kind, e.g. the Ingresses of a namespace with a certain name. */
export interface Collection {
  kind: Kind;
  namespace: string;
  selector: Selector;
}

export interface Follower {
  /** Called with all objects at the start, and again each time that the watch is restarted. */
  onList(items: unknown[]): void;
  /** Called with each change as it happens. */
  onChange(type: "ADDED" | "MODIFIED" | "DELETED", item: unknown): void;
}

const WatchEvent = v.variant("type", [
  v.object({ type: v.picklist(["ADDED", "MODIFIED", "DELETED"]), object: v.unknown() }),
  v.object({ type: v.picklist(["BOOKMARK", "ERROR"]), object: v.unknown() }),
]);

/** Longer than the API server's own limit, so that the API server decides when a watch ends. */
const WATCH_SECONDS = 3600;
/** An upgrade of the control plane takes the API server away for minutes: these pauses add up to four. */
const PAUSES_MS = [1000, 2000, 5000, 15_000, 30_000, 60_000, 120_000];
/**
 * The same for credentials that are refused. kubectl reads a renewed token at most 50 seconds later (client-go
 * transport/token_source.go): these pauses add up to 53.
 */
const UNAUTHORIZED_PAUSES_MS = PAUSES_MS.slice(0, 5);
/** Pause before the watch is restarted after the API server has ended it. */
const REST_MS = 250;

/**
 * Follows a collection until `signal` is aborted: lists it, then watches it. Starts over with a new list each
 * time that the API server ends the watch.
 *
 * @param onTrouble called with each error that is followed by another attempt
 * @throws ActionError when the API server fails for several minutes or forbids it, or kubectl proxy has ended
 */
export async function follow(
  api: ApiServer,
  { kind, namespace, selector }: Collection,
  follower: Follower,
  signal: AbortSignal,
  onTrouble: (error: ActionError) => void,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const { items, resourceVersion } = await api.list(kind, namespace, selector, { signal });
      if (signal.aborted) return;
      failures = 0;
      follower.onList(items);
      const query = { selector, resourceVersion, timeoutSeconds: WATCH_SECONDS };
      await api.watch(kind, namespace, query, (line) => handOver(line, follower, signal), signal);
      await rest(REST_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      const pauses = /unauthorized/i.test(messageOf(error)) ? UNAUTHORIZED_PAUSES_MS : PAUSES_MS;
      const pause = pauses[failures];
      const final = !(error instanceof ActionError) || error === api.end || /forbidden/i.test(error.message);
      if (pause === undefined || final) throw error;
      failures += 1;
      onTrouble(error);
      await rest(pause, signal);
    }
  }
}

function handOver(line: string, follower: Follower, signal: AbortSignal): void {
  if (signal.aborted) return;
  const event = v.parse(WatchEvent, JSON.parse(line));
  // An ERROR means that the resourceVersion is too old. The API server then ends the watch.
  if (event.type === "ADDED" || event.type === "MODIFIED" || event.type === "DELETED") {
    follower.onChange(event.type, event.object);
  }
}

async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  // An abort only ends the pause: the caller checks the signal.
  await delay(milliseconds, undefined, { signal }).catch(() => {});
}
