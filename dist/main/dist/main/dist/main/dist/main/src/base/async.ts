import { setTimeout as delay } from "node:timers/promises";

/**
 * Like Promise.all, but a failure waits for all others, so that nothing still runs after an error.
 *
 * @throws the first failure in the order of `promises`
 */
export async function allOf<T extends readonly unknown[] | []>(
  promises: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** @throws the signal's reason when it is aborted meanwhile */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, signal && { signal }).catch(() => {
    throw signal?.reason;
  });
}

/**
 * Makes an attempt, and another one after each pause, until a result is final. Returns the last result.
 *
 * @param pausesMs pauses between attempts, in milliseconds
 * @param waitAfter returns how long to wait after this result, or undefined if it is final
 * @throws what an attempt throws; the signal's reason when it is aborted during a pause
 */
export async function retry<T>(
  pausesMs: readonly number[],
  attempt: () => Promise<T>,
  waitAfter: (result: T, pauseMs: number) => number | undefined,
  signal?: AbortSignal,
): Promise<T> {
  for (const pauseMs of pausesMs) {
    const result = await attempt();
    const wait = waitAfter(result, pauseMs);
    if (wait === undefined) return result;
    await pause(wait, signal);
  }
  return attempt();
}
