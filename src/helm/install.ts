import * as v from "valibot";
import type { ActionError } from "../base/errors.ts";
import { type Output, run } from "../base/process.ts";
import { clusterError, evidenceIn, FAILED_ROLLOUT, helmError, ReleaseBusyError } from "./error.ts";
import { descriptionFlags, NO_OWN_VALIDATION, postRendererFlags, timeoutFlags, waitFlags } from "./flags.ts";
import { withValues } from "./helm-values.ts";
import { type Helm, isTooSlow, MadeRevision, type Upgrade } from "./upgrade.ts";

/** A Helm installation to make. */
export interface Install extends Omit<Upgrade, "release"> {
  release: { name: string; namespace: string };
}

/** Returns the first arguments of an installation. A dry run has the same ones. */
export function installArgs(helm: Helm, { release, chart }: Pick<Install, "release" | "chart">): string[] {
  const which = [release.name, chart.path, "--namespace", release.namespace];
  return ["install", ...which, NO_OWN_VALIDATION, ...postRendererFlags(helm), "--output", "json"];
}

/**
 * Runs `helm install` in a namespace that exists, waiting for the rollout, and returns
 * the release's first revision.
 *
 * @throws ActionError with Helm's own words when it fails, what `signal` carries when that ended it
 */
export async function install(helm: Helm, request: Install): Promise<MadeRevision> {
  const { values, description, directory, timeout, signal } = request;
  const waiting = [...waitFlags(helm.version), ...timeoutFlags(timeout), ...descriptionFlags(description)];
  const output = await withValues(values, directory, (flags, input) =>
    run(helm, [...installArgs(helm, request), ...flags, ...waiting], { input, signal }),
  );
  if (output.exitCode === 0) return v.parse(MadeRevision, JSON.parse(output.stdout));
  // The reason for the end says more than Helm's error.
  if (signal.aborted && signal.reason instanceof Error) throw signal.reason;
  throw installError(output, request);
}

function installError(output: Output, { release, chart, timeout }: Install): ActionError {
  const { name, namespace } = release;
  const what = `helm install of release ${name} in namespace ${namespace} (chart ${chart.version}) failed.`;
  if (/cannot re-?use a name that is still in use|release: already exists/.test(output.stderr)) {
    const fix = `another run has installed it meanwhile, or is about to: see \`helm history ${name} -n ${namespace}\`, and run again.`;
    return new ReleaseBusyError(what, evidenceIn(output, { fix }));
  }
  if (isTooSlow(output)) {
    return helmError(what, output, {
      fix: `the pods took longer than ${Math.round(timeout / 1000)}s to get ready: see them above, or raise helm_timeout. The next run goes on with what is there.`,
      symptom: FAILED_ROLLOUT,
    });
  }
  return clusterError(what, output);
}
