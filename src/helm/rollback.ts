import { run } from "../base/process.ts";
import { evidenceIn, FAILED_ROLLOUT, helmError, ReleaseBusyError } from "./error.ts";
import { conflictFlags, timeoutFlags, waitFlags } from "./flags.ts";
import type { Release } from "./release.ts";
import { type Helm, isTooSlow } from "./upgrade.ts";

/** A Helm rollback to make. */
export interface Rollback {
  release: Pick<Release, "name" | "namespace" | "serverSide">;
  /** The revision to roll back to. */
  revision: number;
  /** Milliseconds. */
  timeout: number;
  /** Whether to wait for the rollout. */
  wait: boolean;
}

/**
 * Runs `helm rollback`, which makes a new revision, a copy of the target. It also removes what only the
 * newest revision has, because Helm compares with that one. A client-side upgrade would leave that, because
 * it compares with the deployed revision.
 *
 * Neither a cancellation nor the end of this process ends it: Helm would leave the release pending.
 *
 * @throws ActionError with Helm's own words
 */
export async function rollback(helm: Helm, { release, revision, timeout, wait }: Rollback): Promise<void> {
  const { name, namespace } = release;
  const what = `helm rollback of release ${name} in namespace ${namespace} to revision ${revision}`;
  const output = await run(
    helm,
    [
      "rollback",
      name,
      String(revision),
      "--namespace",
      namespace,
      ...(wait ? waitFlags(helm.version) : []),
      ...conflictFlags(helm.version, release),
      ...timeoutFlags(timeout),
    ],
    { outlives: true },
  );
  // Of two that begin at the same moment, one can't record its revision, because it exists already.
  if (/release: already exists/.test(output.stderr)) {
    const fix = "run again: it goes on from what the other run has left.";
    throw new ReleaseBusyError(`${what} failed: another run was faster.`, evidenceIn(output, { fix }));
  }
  if (output.exitCode !== 0) {
    throw helmError(`${what} failed.`, output, {
      fix: `see \`helm history ${name} -n ${namespace}\` and the release's pods, and roll back by hand.`,
      ...(isTooSlow(output) && { symptom: FAILED_ROLLOUT }),
    });
  }
}
