import type { TextSymptom } from "../../base/symptom.ts";

/** A cause that waiting can't fix, and what to do about it. */
export interface Diagnosis {
  cause: string;
  remedy: string;
}

/**
 * A text that one of Google's controllers writes into a Warning, on the Ingress or on its Service. A lasting
 * one ends the wait once it is repeated. Progress lines and errors quote a passing one, and no harmless one.
 */
export interface KnownText extends TextSymptom {
  /** Says it more exactly, from what the pattern has matched. */
  refine?: (match: RegExpExecArray) => Diagnosis;
}
