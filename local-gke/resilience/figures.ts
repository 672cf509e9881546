import type { Call } from "./caller.ts";

/** Statistics of a client's calls. Times are in seconds. */
export interface CallFigures {
  calls: number;
  failed: number;
  /** From the first of consecutive failed calls to the next success. */
  longestOutage: number;
  /** Time from the start to the first and to the last response of each endpoint. */
  answers: Record<string, { first: number; last: number }>;
}

/**
 * Computes the statistics of calls.
 *
 * @param calls in chronological order
 * @param started the start, by performance.now()
 */
export function figuresOf(calls: readonly Call[], started: number): CallFigures {
  let longest = 0;
  let failedSince: number | undefined;
  const answers = new Map<string, { first: number; last: number }>();
  for (const { begun, answeredBy } of calls) {
    if (answeredBy.length === 0) failedSince ??= begun;
    longest = Math.max(longest, begun - (failedSince ?? begun));
    if (answeredBy.length > 0) failedSince = undefined;
    const at = (begun - started) / 1000;
    for (const endpoint of answeredBy) {
      answers.set(endpoint, { first: answers.get(endpoint)?.first ?? at, last: at });
    }
  }
  return {
    calls: calls.length,
    failed: calls.filter(({ answeredBy }) => answeredBy.length === 0).length,
    longestOutage: longest / 1000,
    answers: Object.fromEntries(answers),
  };
}
