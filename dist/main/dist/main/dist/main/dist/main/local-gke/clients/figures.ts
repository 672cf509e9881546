import type { Call } from "./caller.ts";

/** Statistics of a client's calls. */
export interface CallFigures {
  failed: number;
  /** From the first of consecutive failed calls to the next success, in seconds. */
  longestOutage: number;
}

/**
 * Computes the statistics of calls.
 *
 * @param calls in chronological order
 */
export function figuresOf(calls: readonly Call[]): CallFigures {
  let longest = 0;
  let failed = 0;
  let failedSince: number | undefined;
  for (const { begun, answeredBy } of calls) {
    if (answeredBy.length === 0) failedSince ??= begun;
    longest = Math.max(longest, begun - (failedSince ?? begun));
    if (answeredBy.length > 0) failedSince = undefined;
    else failed += 1;
  }
  return { failed, longestOutage: longest / 1000 };
}
