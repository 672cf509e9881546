import { ActionError } from "../errors.ts";
import { remedyOf } from "../kubernetes/remedies.ts";
import type { Output } from "../process.ts";

/** Turns a failed call of Helm's into an error; warnings explain nothing and are left out. */
export function helmError(what: string, output: Output, details: { fix?: string } = {}): ActionError {
  const lines = output.stderr
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^(WARNING|W\d{4}|I\d{4}|level=(WARN|INFO|DEBUG)\b)/.test(line));
  const why = lines.join("\n") || `exit code ${output.exitCode}`;
  return new ActionError(what, { why, ...remedyOf(why), ...details });
}
