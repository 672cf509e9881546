import { error } from "@actions/core";
import type { Annotation } from "../base/errors.ts";
import { TITLE } from "../base/log.ts";

/** GitHub shows ten errors of a step, and the failure itself is one. */
const MOST = 9;

/** Shows mistakes at their lines, in a pull request's changes too. */
export function annotate(annotations: readonly Annotation[]): void {
  for (const { file, line, message } of annotations.slice(0, MOST)) {
    error(message, { file, startLine: line, title: TITLE });
  }
}
