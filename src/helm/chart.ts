import { mkdtemp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { load } from "js-yaml";
import * as v from "valibot";
import { retry } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import { readTextFile } from "../base/file.ts";
import type { Output, Program } from "../base/process.ts";
import { run } from "../base/process.ts";
import type { Login } from "../base/url.ts";
import { helmError } from "./error.ts";

/** A chart that is on this machine, ready for an upgrade. */
export interface LocalChart {
  /** Path of a folder or an archive. */
  path: string;
  name: string;
  version: string;
}

/** Which chart to take, and where it is. */
export interface ChartReference {
  /** A name in `repository`, a path, or an `oci://` reference. */
  chart: string;
  repository: string | undefined;
  /** What the repository asks for, if anything. */
  login?: Login | undefined;
  /** Undefined: the newest in the repository, whatever it is at a path. */
  version: string | undefined;
}

/** Tells a chart that is on this machine from one in a repository or registry. */
export function isPath({ chart, repository }: Pick<ChartReference, "chart" | "repository">): boolean {
  return !repository && !chart.startsWith("oci://");
}

/**
 * Returns the name of a chart in a repository or registry; undefined for a path,
 * whose Chart.yaml has the name.
 */
export function chartNameIn(reference: Pick<ChartReference, "chart" | "repository">): string | undefined {
  return isPath(reference) ? undefined : reference.chart.split("/").at(-1)?.split(/[:@]/)[0];
}

/** Tells whether a reference names a chart by its digest, which no other version can have. */
function hasDigest({ chart }: Pick<ChartReference, "chart">): boolean {
  return chart.startsWith("oci://") && chart.includes("@sha256:");
}

/** The chart that was asked for by path or digest is of another version than the release. */
export class OtherVersionError extends ActionError {}

const PULL_PAUSES_MS = [1000, 5000];

/** What Helm prints when another try would fail too. */
const NOT_THERE = /not found|no chart version|\b40[134]\b|denied|unauthorized/i;

/**
 * Fetches a chart. A chart in a repository or registry is downloaded into `directory`, with retries, because
 * Helm tries only once. A path stays where it is.
 *
 * @throws ActionError when the chart or the version isn't there, or a local chart has
 *   another version than `version`
 */
export async function fetchChart(
  helm: Program,
  reference: ChartReference,
  directory: string,
): Promise<LocalChart> {
  const { chart, repository, version } = reference;
  if (isPath(reference)) return readLocalChart(helm, chart, version);

  const folder = await mkdtemp(join(directory, "chart-"));
  const what = [chart, ...(version === undefined ? [] : [version])].join(" ");
  const output = await retry(
    PULL_PAUSES_MS,
    () => pull(helm, reference, folder),
    ({ exitCode, stderr }, pauseMs) => {
      // The URL may contain the numbers of status codes.
      const isFinal = exitCode === 0 || NOT_THERE.test(stderr.replaceAll(repository ?? chart, ""));
      return isFinal ? undefined : pauseMs;
    },
  );
  if (output.exitCode !== 0) {
    throw helmError(
      `Chart ${what} could not be downloaded from ${repository ?? chart}; nothing was changed.`,
      output,
      {
        fix: "check chart, chart_repository and chart_version; a chart on disk can be given as a path in chart.",
      },
    );
  }
  const [archive] = await readdir(folder);
  if (archive === undefined) throw new ActionError(`helm pull ${what} left no archive behind.`);
  const path = join(folder, archive);
  if (hasDigest(reference)) return readLocalChart(helm, path, version, chart);
  const name = chartNameIn(reference) ?? chart;
  return { path, name, version: version ?? metadataIn(await showChart(helm, path)).version };
}

/** The repository's name in a Helm configuration that only this download uses. */
const REPOSITORY_NAME = "chart-repository";

async function pull(helm: Program, reference: ChartReference, folder: string): Promise<Output> {
  const { chart, repository, login, version } = reference;
  // Given a version beside a digest, Helm would compare the digest with that of the version's tag.
  const needsVersion = version !== undefined && !hasDigest(reference);
  const how = [...(needsVersion ? ["--version", version] : []), "--destination", folder];
  if (!repository || !login) {
    return run(helm, ["pull", chart, ...(repository ? ["--repo", repository] : []), ...how]);
  }
  // helm pull takes a password by argument only, which everybody on the machine can read.
  const own = {
    HELM_REPOSITORY_CONFIG: `${folder}-repositories.yaml`,
    HELM_REPOSITORY_CACHE: `${folder}-repositories`,
  };
  const knowing = { ...helm, env: { ...helm.env, ...own } };
  const name = [REPOSITORY_NAME, repository, "--force-update"];
  const added = await run(knowing, ["repo", "add", ...name, "--username", login.user, "--password-stdin"], {
    input: login.password,
  });
  return added.exitCode === 0 ? run(knowing, ["pull", `${REPOSITORY_NAME}/${chart}`, ...how]) : added;
}

const ChartMetadata = v.looseObject({ name: v.string(), version: v.string() });

function metadataIn(text: string): v.InferOutput<typeof ChartMetadata> {
  return v.parse(ChartMetadata, load(text));
}

/** @param origin where the chart comes from, for the error */
async function readLocalChart(
  helm: Program,
  path: string,
  version: string | undefined,
  origin = path,
): Promise<LocalChart> {
  const metadata = chartFile(path) ?? (await showChart(helm, path));
  const { name, version: found } = metadataIn(metadata);
  if (version !== undefined && found !== version) {
    throw new OtherVersionError(
      `The chart at ${origin} has version ${found}, not ${version}; nothing was changed.`,
      {
        why: "another chart version also upgrades Milvus, so it is only taken when chart_version asks for it.",
        fix: `set chart_version: ${found} to upgrade on purpose, or give chart the path or the digest of version ${version}.`,
      },
    );
  }
  return { path, name, version: found };
}

/** Returns the metadata of a chart in a folder; undefined when it can't be read. */
function chartFile(path: string): string | undefined {
  try {
    return readTextFile(join(path, "Chart.yaml"));
  } catch {
    return undefined;
  }
}

/** Has Helm read the metadata of a chart that isn't a folder. Helm's error says why it can't. */
async function showChart(helm: Program, path: string): Promise<string> {
  const output = await run(helm, ["show", "chart", path]);
  if (output.exitCode === 0) return output.stdout;
  throw helmError(`The chart at ${path} can't be read; nothing was changed.`, output, {
    fix: "check the input chart: a path is relative to the folder that the job runs in, and a chart of chart_repository goes by its name alone (chart: milvus, not milvus/milvus).",
  });
}
