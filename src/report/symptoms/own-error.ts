import type { TextSymptom } from "../../base/symptom.ts";

/**
 * Errors of this action's own, as docs/troubleshooting.md explains them. The pattern shows in the first line
 * of the error, which says what happened.
 */
export type OwnError = Pick<TextSymptom, "id" | "title" | "pattern" | "cause" | "remedy">;
