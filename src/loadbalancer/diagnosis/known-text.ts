/** A cause that waiting can't fix, and what to do about it. */
export interface Diagnosis {
  cause: string;
  remedy: string;
}

/**
 * What the action makes of a Warning.
 *
 * - lasting: ends the wait once it is repeated, with this diagnosis
 * - passing: the controller tries again, and the wait goes on; progress lines and errors quote it
 * - harmless: as passing, but it explains nothing, so nothing quotes it
 */
export type Verdict =
  | { kind: "lasting"; diagnosis: (match: RegExpExecArray) => Diagnosis }
  | { kind: "passing" }
  | { kind: "harmless" };

/** A text that one of Google's controllers writes into a Warning, on the Ingress or on its Service. */
export interface KnownText {
  /** Who writes it: a function or type of kubernetes/ingress-gce with its folder, or a class of Google's errors. */
  source: string;
  pattern: RegExp;
  verdict: Verdict;
}

export const PASSING: Verdict = { kind: "passing" };
export const HARMLESS: Verdict = { kind: "harmless" };

/** Returns the verdict on a text whose cause and remedy are always the same. */
export function lasting(cause: string, remedy: string): Verdict {
  return { kind: "lasting", diagnosis: () => ({ cause, remedy }) };
}
