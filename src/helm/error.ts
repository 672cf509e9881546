import { ActionError, type ErrorDetails, RestartError } from "../base/errors.ts";
import type { Output } from "../base/process.ts";
import { remedyOf } from "../kubernetes/remedies.ts";

/** Warnings of Helm and its libraries, such as Helm 3's about values (`coalesce.go:316: warning: ...`). */
const NO_CAUSE = /^(WARNING|W\d{4}|I\d{4}|level=(WARN|INFO|DEBUG)\b|\w+\.go:\d+: warning)/;

/** What the caller knows better than Helm's words. */
type OwnDetails = Pick<ErrorDetails, "fix" | "symptom">;

/**
 * The symptom of an upgrade, installation or rollback that failed. Its "deadline exceeded" isn't the API
 * server's.
 */
export const FAILED_ROLLOUT = "rolled-back";

/** Another Helm run works on the release, or did until now. */
export class ReleaseBusyError extends ActionError {}

/** Helm lost the API server. That says nothing about the release or the chart. */
export class LostApiServerError extends RestartError {}

/** How Helm says that the API server was away, too busy or failing. */
const LOST =
  /cluster unreachable|connection re(fused|set)|\bEOF\b|broken pipe|i\/o timeout|TLS handshake timeout|too many requests|an error on the server|etcdserver: /i;

/** Returns the error for a failed Helm command that talks to the API server. */
export function clusterError(what: string, output: Output, details: { fix?: string } = {}): ActionError {
  const evidence = evidenceIn(output, details);
  const { why = "" } = evidence;
  if (!LOST.test(why) || /webhook/.test(why)) return new ActionError(what, evidence);
  const fix = "run again when the cluster's API server answers: its control plane may be restarting.";
  return new LostApiServerError(what, { ...evidence, fix });
}

/** Returns the error for a failed Helm command. */
export function helmError(what: string, output: Output, details: OwnDetails = {}): ActionError {
  return new ActionError(what, evidenceIn(output, details));
}

/** Returns why a Helm command failed, and what to change. Warnings explain nothing and are left out. */
export function evidenceIn(output: Output, details: OwnDetails): ErrorDetails {
  const lines = output.stderr.split("\n").filter((line) => line.trim() !== "" && !NO_CAUSE.test(line));
  const why = lines.join("\n") || `exit code ${output.exitCode}`;
  return { why, ...remedyOf(why), ...details };
}
