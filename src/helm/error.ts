import { ActionError, type ErrorDetails } from "../base/errors.ts";
import type { Output } from "../base/process.ts";
import { remedyOf } from "../kubernetes/remedies.ts";

/** Warnings of Helm and its libraries, such as Helm 3's about values (`coalesce.go:316: warning: ...`). */
const NO_CAUSE = /^(WARNING|W\d{4}|I\d{4}|level=(WARN|INFO|DEBUG)\b|\w+\.go:\d+: warning)/;

/** Another Helm run works on the release, or did until now. */
export class ReleaseBusyError extends ActionError {}

/** Returns the error for a failed Helm command. */
export function helmError(what: string, output: Output, details: { fix?: string } = {}): ActionError {
  return new ActionError(what, evidenceIn(output, details));
}

/** Returns why a Helm command failed, and what to change. Warnings explain nothing and are left out. */
export function evidenceIn(output: Output, details: Pick<ErrorDetails, "fix">): ErrorDetails {
  const lines = output.stderr.split("\n").filter((line) => line.trim() !== "" && !NO_CAUSE.test(line));
  const why = lines.join("\n") || `exit code ${output.exitCode}`;
  return { why, ...remedyOf(why), ...details };
}
