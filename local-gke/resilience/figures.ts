import type { Call } from "./caller.ts";

/** What became of the calls of a client. Times in seconds. */
export interface CallFigures {
  calls: number;
  failed: number;
  /** From the first failed call in a row to the next answered one. */
  longestOutage: number;
  /** The first and the last answer through each front, counted from the start. */
  answers: Record<string, { first: number; last: number }>;
}

/**
 * Counts calls. Pure.
 *
 * @param calls the first one first
 * @param started the moment that answers are counted from
 */
export function figuresOf(calls: readonly Call[], started: number): CallFigures {
  let longest = 0;
  let failedSince: number | undefined;
  const answers = new Map<string, { first: number; last: number }>();
  for (const { begun, answeredThrough } of calls) {
    if (answeredThrough.length === 0) failedSince ??= begun;
    longest = Math.max(longest, begun - (failedSince ?? begun));
    if (answeredThrough.length > 0) failedSince = undefined;
    const at = (begun - started) / 1000;
    for (const front of answeredThrough) {
      answers.set(front, { first: answers.get(front)?.first ?? at, last: at });
    }
  }
  return {
    calls: calls.length,
    failed: calls.filter(({ answeredThrough }) => answeredThrough.length === 0).length,
    longestOutage: longest / 1000,
    answers: Object.fromEntries(answers),
  };
}
