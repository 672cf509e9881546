import type { Call, Caller } from "./caller.ts";

const INTERVAL_MS = 50;

/**
 * Calls at a fixed interval, without waiting for earlier calls.
 *
 * @returns `stop` ends that and returns all calls in order
 */
export function callAtIntervals(caller: Caller): { stop(): Promise<Call[]> } {
  const calls: Promise<Call>[] = [];
  const timer = setInterval(() => calls.push(caller.call()), INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      const made = await Promise.all(calls);
      caller.close();
      return made;
    },
  };
}
