import { setTimeout as delay } from "node:timers/promises";
import * as v from "valibot";
import { ActionError, messageOf } from "../base/errors.ts";
import type { ApiServer, Kind, Selector } from "./api.ts";
import { ConnectionError } from "./responses.ts";

/** Some objects of a kind, e.g. the Ingresses of a namespace with a certain name. */
export interface Collection {
  kind: Kind;
  namespace: string;
  selector: Selector;
}

/** Takes what a watch shows of a collection. */
export interface Follower {
  /** Called with all objects at the start, and again each time that changes may have been missed. */
  onList(items: unknown[]): void;
  /** Called with each change as it happens. */
  onChange(type: "ADDED" | "MODIFIED" | "DELETED", item: unknown): void;
}

const WatchEvent = v.object({
  type: v.picklist(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]),
  object: v.unknown(),
});

const Versioned = v.object({
  metadata: v.optional(v.object({ resourceVersion: v.optional(v.string()) }), {}),
});

/** Longer than the API server's own limit, so that the API server decides when a watch ends. */
const WATCH_SECONDS = 3600;
/** An upgrade of the control plane takes the API server away for minutes: these pauses add up to four. */
const PAUSES_MS = [1000, 2000, 5000, 15_000, 30_000, 60_000, 120_000];
/**
 * The same for credentials that are refused. kubectl reads a renewed token at most 50 seconds later
 * (client-go transport/token_source.go): these pauses add up to 53.
 */
const UNAUTHORIZED_PAUSES_MS = PAUSES_MS.slice(0, 5);
/** Pause before the watch is restarted after the API server has ended it. */
const REST_MS = 250;

/**
 * Follows a collection until `signal` is aborted: lists it, then watches it. A watch that has
 * ended or broken goes on where it was. Starts over with a new list when the API server no longer
 * knows where that is, or refuses.
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
  /** Where the next watch begins; undefined: after a new list. */
  let version: string | undefined;
  /** Whether the API server has shown something since the last failure. */
  let isAnswered = false;
  const answered = (next: string | undefined) => {
    version = next;
    isAnswered = true;
    failures = 0;
  };
  while (!signal.aborted) {
    try {
      if (version === undefined) {
        const { items, resourceVersion } = await api.list(kind, namespace, selector, { signal });
        if (signal.aborted) return;
        answered(resourceVersion);
        follower.onList(items);
      }
      const query = { selector, resourceVersion: version ?? "", timeoutSeconds: WATCH_SECONDS };
      const onLine = (line: string) => answered(handOver(line, follower, signal));
      await api.watch(kind, namespace, query, onLine, signal);
      await rest(REST_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      const pauses = /unauthorized/i.test(messageOf(error)) ? UNAUTHORIZED_PAUSES_MS : PAUSES_MS;
      const pause = pauses[failures];
      const final = !(error instanceof ActionError) || error === api.end || /forbidden/i.test(error.message);
      if (pause === undefined || final) throw error;
      failures += 1;
      // Only a list tells a stream that broke from one that breaks each time.
      if (!(error instanceof ConnectionError && isAnswered)) version = undefined;
      isAnswered = false;
      onTrouble(error);
      await rest(pause, signal);
    }
  }
}

/** @returns where a watch goes on after this line; undefined: nowhere */
function handOver(line: string, follower: Follower, signal: AbortSignal): string | undefined {
  if (signal.aborted) return undefined;
  const { type, object } = v.parse(WatchEvent, JSON.parse(line));
  // The resourceVersion is too old. The API server then ends the watch.
  if (type === "ERROR") return undefined;
  if (type !== "BOOKMARK") follower.onChange(type, object);
  return v.parse(Versioned, object).metadata.resourceVersion;
}

async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  // An abort only ends the pause: the caller checks the signal.
  await delay(milliseconds, undefined, { signal }).catch(() => {});
}
