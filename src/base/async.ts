import { setTimeout as delay } from "node:timers/promises";

/**
 * Like Promise.all, but a failure waits for all others: nothing goes on behind an error's back.
 *
 * @throws the first failure in the order of `promises`
 */
export async function allOf<T extends readonly unknown[] | []>(
  promises: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/**
 * Waits a number of milliseconds.
 *
 * @throws the signal's reason when it is aborted meanwhile
 */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => {
    throw signal.reason;
  });
}
