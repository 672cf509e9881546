import type { TextSymptom } from "../../base/symptom.ts";

/** A cause that waiting can't fix, and what to do about it. */
export interface Diagnosis {
  cause: string;
  remedy: string;
}

/**
 * A text that one of Google's controllers writes into a Warning, on the Ingress or on its Service. A lasting
 * text ends the wait once it is repeated. Progress lines and errors quote passing texts, but no harmless
 * ones.
 */
export interface KnownText extends TextSymptom {
  /** Returns a more exact cause and remedy, from what the pattern has matched. */
  refine?: (match: RegExpExecArray) => Diagnosis;
}
