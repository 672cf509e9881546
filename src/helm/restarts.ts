import * as v from "valibot";
import { allOf } from "../base/async.ts";
import { type Program, run } from "../base/process.ts";
import { helmError } from "./error.ts";
import { withValues } from "./helm-values.ts";
import { type Install, installArgs } from "./install.ts";
import { compareManifests, type ManifestChange } from "./manifest.ts";
import type { Release } from "./release.ts";
import { MadeRevision, type Upgrade, upgradeArgs } from "./upgrade.ts";

export type DryRun = Omit<Upgrade, "timeout" | "signal">;

/**
 * Returns what an upgrade would do to the objects of its release: it is rehearsed with the same chart and values, and
 * compared with what the newest revision was rendered to.
 *
 * @throws ActionError with Helm's own words when the chart can't be rendered with these values
 */
export async function previewUpgrade(helm: Program, dryRun: DryRun): Promise<ManifestChange> {
  const [now, then] = await allOf([readManifest(helm, dryRun.release, []), dryRunUpgrade(helm, dryRun)]);
  return compareManifests(now, then);
}

/**
 * Returns what a revision that Helm has just made has done to the objects of its release.
 *
 * @throws ActionError when Helm can't read the revision before it
 */
export async function changesMade(
  helm: Program,
  release: Pick<Release, "name" | "namespace">,
  { version, manifest }: MadeRevision,
): Promise<ManifestChange> {
  return compareManifests(await readManifest(helm, release, ["--revision", String(version - 1)]), manifest);
}

async function readManifest(
  helm: Program,
  { name, namespace }: Pick<Release, "name" | "namespace">,
  which: string[],
): Promise<string> {
  const output = await run(helm, ["get", "manifest", name, ...which, "--namespace", namespace]);
  if (output.exitCode === 0) return output.stdout;
  throw helmError(`Helm could not read the manifest of release ${name} in namespace ${namespace}.`, output);
}

/**
 * Returns what an installation would make: it is rehearsed with the same chart and values.
 *
 * @throws ActionError with Helm's own words when the chart can't be rendered with these values
 */
export async function previewInstall(
  helm: Program,
  dryRun: Omit<Install, "timeout" | "signal">,
): Promise<ManifestChange> {
  return compareManifests("", await manifestOf(helm, installArgs(dryRun), dryRun, "installed"));
}

/**
 * Returns the manifest that an upgrade would render, its hooks left out. Rendered by Helm against the cluster: charts
 * ask for objects (Milvus's for the message queue of a standalone Deployment), API versions and the revision's number,
 * none of which `helm template` knows.
 *
 * @throws ActionError with Helm's own words
 */
export async function dryRunUpgrade(helm: Program, dryRun: DryRun): Promise<string> {
  return manifestOf(helm, upgradeArgs(dryRun), dryRun, "upgraded");
}

async function manifestOf(
  helm: Program,
  args: string[],
  dryRun: Omit<Install, "timeout" | "signal">,
  done: "installed" | "upgraded",
): Promise<string> {
  const { release, chart, values, directory } = dryRun;
  const output = await withValues(values, directory, (flags, input) =>
    run(helm, [...args, ...flags, "--dry-run=server"], { input }),
  );
  if (output.exitCode === 0) return v.parse(MadeRevision, JSON.parse(output.stdout)).manifest;
  throw helmError(
    `Release ${release.name} in namespace ${release.namespace} can't be ${done} with chart ${chart.version} and these values; nothing was changed.`,
    output,
    { fix: "mend what Helm complains of: check values, values_files and chart_version." },
  );
}
