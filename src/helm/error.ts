import { ActionError } from "../base/errors.ts";
import type { Output } from "../base/process.ts";
import { remedyOf } from "../kubernetes/remedies.ts";

/** Warnings of Helm's and of its libraries', Helm 3's about values among them (`coalesce.go:316: warning: ...`). */
const NO_CAUSE = /^(WARNING|W\d{4}|I\d{4}|level=(WARN|INFO|DEBUG)\b|\w+\.go:\d+: warning)/;

/** Another Helm run is, or was until now, at work on the release. */
export class ReleaseBusyError extends ActionError {}

/** Turns a failed call of Helm's into an error. */
export function helmError(what: string, output: Output, details: { fix?: string } = {}): ActionError {
  return new ActionError(what, evidenceIn(output, details));
}

/** Returns why a call of Helm's failed, and what to change; warnings explain nothing and are left out. */
export function evidenceIn(output: Output, details: { fix?: string }): { why: string; fix?: string } {
  const lines = output.stderr.split("\n").filter((line) => line.trim() !== "" && !NO_CAUSE.test(line));
  const why = lines.join("\n") || `exit code ${output.exitCode}`;
  return { why, ...remedyOf(why), ...details };
}
