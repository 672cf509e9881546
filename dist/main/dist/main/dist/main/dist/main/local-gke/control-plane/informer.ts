import { setTimeout as delay } from "node:timers/promises";
import type { Informer, KubernetesObject } from "@kubernetes/client-node";
import { messageOf } from "../../src/base/errors.ts";

const RECONNECT_MS = 500;

/**
 * Starts an informer, and again whenever it stops: the API server ends watches, and restarts.
 *
 * @param who whose informer it is, for the log
 * @param signal ends that
 * @throws Error if the first list fails
 */
export async function keepInformed<T extends KubernetesObject>(
  informer: Informer<T>,
  who: string,
  signal: AbortSignal,
): Promise<void> {
  const startAgain = async (error: unknown): Promise<void> => {
    if (signal.aborted) return;
    console.error(`${who}: starting the watch again: ${messageOf(error)}`);
    await delay(RECONNECT_MS, undefined, { signal, ref: false }).catch(() => {});
    if (!signal.aborted) await informer.start().catch(startAgain);
  };
  // The informer also reports the end of a watch as an error.
  informer.on("error", startAgain);
  await informer.start();
}
