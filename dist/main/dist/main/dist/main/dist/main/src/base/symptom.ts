/**
 * How long something lasts.
 *
 * - lasting: until somebody does what the remedy says
 * - passing: it mends itself, so the run waits
 * - harmless: it stays, and explains nothing
 */
export type Verdict = "lasting" | "passing" | "harmless";

/** Something that can go wrong, as docs/troubleshooting.md explains it. */
export interface Symptom {
  /** Its anchor in docs/troubleshooting.md. */
  id: string;
  /** What the log shows, with `...` for what differs from case to case. */
  title: string;
  /** A sentence. */
  cause: string;
  /** A sentence: what to do. */
  remedy: string;
  verdict: Verdict;
  /** Who shows it: a function of another project's source with its folder, or a class of errors. */
  source: string;
}

/** A symptom that shows in a text. */
export interface TextSymptom extends Symptom {
  pattern: RegExp;
}

/** What is the same for everything that mends itself. */
export const PASSING = { verdict: "passing", remedy: "wait: it mends itself." } as const;
export const HARMLESS = { verdict: "harmless", remedy: "nothing." } as const;

/** Returns the first symptom that shows in a text. */
export function symptomIn<T extends TextSymptom>(text: string, symptoms: readonly T[]): T | undefined {
  return symptoms.find(({ pattern }) => pattern.test(text));
}
