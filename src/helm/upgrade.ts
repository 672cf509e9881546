import * as v from "valibot";
import { type Output, type Program, run } from "../base/process.ts";
import type { LocalChart } from "./chart.ts";
import { clusterError, evidenceIn, FAILED_ROLLOUT, helmError, ReleaseBusyError } from "./error.ts";
import {
  conflictFlags,
  descriptionFlags,
  NO_OWN_VALIDATION,
  postRendererFlags,
  timeoutFlags,
  waitFlags,
} from "./flags.ts";
import { type HelmValues, withValues } from "./helm-values.ts";
import type { Release } from "./release.ts";

/** Helm with its version, on which its flags depend. */
export type Helm = Program & {
  version: string;
  /** What changes each manifest before Helm applies it: a program (Helm 3), a plugin's name (Helm 4). */
  postRenderer?: string | undefined;
  postRendererArgs?: readonly string[] | undefined;
};

/** A Helm upgrade to make. */
export interface Upgrade {
  release: Release;
  chart: LocalChart;
  values: HelmValues;
  /** What the release's history says of the revision; undefined: Helm's own words. */
  description?: string | undefined;
  /** A private folder. */
  directory: string;
  /** Milliseconds. */
  timeout: number;
  /** Ends it; Helm then records the release as failed. */
  signal: AbortSignal;
}

/** What Helm prints about a new revision: its number and its manifest. */
export const MadeRevision = v.looseObject({ version: v.number(), manifest: v.optional(v.string(), "") });
export type MadeRevision = v.InferOutput<typeof MadeRevision>;

/**
 * Returns the first arguments of an upgrade. A dry run has the same ones.
 *
 * `--reset-then-reuse-values`: the chart's defaults, then the release's own values, then the new ones.
 * Without it Helm drops the release's values as soon as any new one is given (helm
 * pkg/action/upgrade.go, reuseValues).
 */
export function upgradeArgs(
  helm: Helm,
  { release, chart, values }: Pick<Upgrade, "release" | "chart" | "values">,
): string[] {
  const which = [release.name, chart.path, "--namespace", release.namespace];
  const base = values.kind === "instead" ? "--reset-values" : "--reset-then-reuse-values";
  return ["upgrade", ...which, base, NO_OWN_VALIDATION, ...postRendererFlags(helm), "--output", "json"];
}

/**
 * Runs `helm upgrade`, waiting for the rollout, and returns the new revision.
 *
 * @throws ActionError with Helm's own words when the upgrade fails, what `signal` carries when that ended it
 */
export async function upgrade(helm: Helm, request: Upgrade): Promise<MadeRevision> {
  const { release, values, description, directory, timeout, signal } = request;
  const waiting = [
    ...waitFlags(helm.version),
    ...conflictFlags(helm.version, release),
    ...timeoutFlags(timeout),
    ...descriptionFlags(description),
  ];
  const output = await withValues(values, directory, (flags, input) =>
    run(helm, [...upgradeArgs(helm, request), ...flags, ...waiting], { input, signal }),
  );
  if (output.exitCode !== 0) throw upgradeError(output, request);
  return v.parse(MadeRevision, JSON.parse(output.stdout));
}

/** Tells whether Helm's wait for the rollout timed out, and not a request to the API server. */
export function isTooSlow({ stderr }: Output): boolean {
  return /timed out|deadline exceeded/.test(stderr) && !/failed calling webhook|etcdserver/.test(stderr);
}

/**
 * Returns the error for a release that another run is at work on; undefined if Helm failed for another
 * reason.
 */
export function busyError(
  what: string,
  output: Output,
  { name, namespace }: { name: string; namespace: string },
): ReleaseBusyError | undefined {
  // Of two that begin at the same moment, one can't record its revision, because it exists already.
  if (!/another operation .* is in progress|release: already exists/.test(output.stderr)) return undefined;
  const fix = `another run is at work on the release, or one was killed: see \`helm history ${name} -n ${namespace}\`, and \`helm rollback\` to the last deployed revision when nobody is.`;
  return new ReleaseBusyError(what, evidenceIn(output, { fix, symptom: "pending-release" }));
}

function upgradeError(output: Output, { release, signal, timeout }: Upgrade): Error {
  // The reason for the end says more than Helm's error.
  if (signal.aborted && signal.reason instanceof Error) return signal.reason;
  const what = `helm upgrade of release ${release.name} in namespace ${release.namespace} failed.`;
  const busy = busyError(what, output, release);
  if (busy) return busy;
  if (isTooSlow(output)) {
    return helmError(what, output, {
      fix: `the rollout took longer than ${Math.round(timeout / 1000)}s: see the pods above, or raise helm_timeout.`,
      symptom: FAILED_ROLLOUT,
    });
  }
  return clusterError(what, output);
}
