import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { load } from "js-yaml";
import * as v from "valibot";
import { ActionError, messageOf } from "../base/errors.ts";
import { warning } from "../base/log.ts";
import type { ChartReference, LocalChart } from "./chart.ts";
import { chartNameIn, fetchChart, isPath, OtherVersionError } from "./chart.ts";
import { manifestDifferences } from "./manifest.ts";
import type { Release } from "./release.ts";
import { renderUpgrade } from "./render.ts";
import { Dependencies, type StoredChart } from "./stored-release.ts";
import type { Helm } from "./upgrade.ts";

/** A chart and where it came from. */
export type FoundChart = LocalChart & { origin: "repository" | "path" | "release" };

/** A file of a chart: its path below the chart's folder. */
interface File {
  path: string;
  content: string | Buffer;
}

/**
 * Fetches the chart. If the repository no longer has the deployed version, rebuilds it from
 * the release's Secret and warns.
 *
 * @param directory a private folder for it
 * @throws ActionError when neither works, with both reasons
 */
export async function chartFor(
  helm: Helm,
  reference: ChartReference,
  release: Release,
  directory: string,
): Promise<FoundChart> {
  if (isPath(reference)) return { ...(await fetchChart(helm, reference, directory)), origin: "path" };
  try {
    return { ...(await fetchChart(helm, reference, directory)), origin: "repository" };
  } catch (error) {
    const isFinal = !(error instanceof ActionError) || error instanceof OtherVersionError;
    if (isFinal || !isDeployed(reference, release)) throw error;
    const chart = await chartInRelease(helm, release, directory).catch((problem: unknown) => {
      throw new ActionError(`${error.message}\n${messageOf(problem)}`, { cause: error });
    });
    const { chart: name, version, repository } = reference;
    warning(
      `Chart ${name} ${version} could not be downloaded from ${repository ?? name} (${error.why ?? error.message}). The upgrade goes on with the chart as Helm keeps it in release ${release.name}: it renders the release as it is.`,
    );
    return { ...chart, origin: "release" };
  }
}

function isDeployed(reference: ChartReference, release: Release): boolean {
  return reference.version === release.chartVersion && chartNameIn(reference) === release.chart;
}

/**
 * Rebuilds the chart that Helm stored with the deployed revision. Checks that it
 * renders that revision's objects.
 */
async function chartInRelease(helm: Helm, release: Release, directory: string): Promise<LocalChart> {
  const { base } = release;
  if (!base) throw unusable(release, "it isn't installed yet.");
  const missing = missingSubcharts(base.chart);
  if (missing.length > 0) {
    throw unusable(release, `Helm keeps no subcharts, and the release uses ${missing.join(", ")}.`);
  }
  const path = await mkdtemp(join(directory, "chart-"));
  for (const file of chartFiles(base.chart)) await writeBelow(path, file);
  const { name, version } = base.chart.metadata;
  const chart = { path, name, version };

  const { manifest } = await renderUpgrade(helm, {
    release,
    chart,
    values: { kind: "over", files: [], overlay: {} },
    directory,
  });
  // Charts generate the contents of Secrets at each rendering.
  const different = manifestDifferences(base.manifest, manifest)
    .filter(({ kind, path }) => kind !== "Secret" || path === "")
    .map(({ kind, name }) => `${kind} ${name}`);
  if (different.length > 0) {
    throw unusable(
      release,
      `it renders another ${[...new Set(different)].join(", ")} than revision ${base.revision} has.`,
    );
  }
  return chart;
}

function unusable({ name, chart, chartVersion }: Release, why: string): ActionError {
  return new ActionError(`The chart that Helm keeps in release ${name} can't take its place.`, {
    why,
    fix: `set chart_repository to one that has ${chart} ${chartVersion}, chart to the path of a copy of it, or chart_version to a version that the repository has.`,
  });
}

/**
 * Returns the names of the subcharts that a stored chart needs: the enabled ones, and those whose condition
 * isn't known. Only charts of apiVersion v1 keep the conditions, in requirements.yaml.
 */
export function missingSubcharts(chart: StoredChart): string[] {
  const enabled = chart.metadata.dependencies.filter((dependency) => dependency.enabled);
  const untold = requirementsOf(chart) ? [] : (chart.lock?.dependencies ?? []);
  return [...new Set([...enabled, ...untold].map(({ name }) => name))];
}

/**
 * Returns the files of a stored chart. Each subchart is replaced by one that fails to render: values that
 * enable it fail instead of leaving its objects out.
 */
export function chartFiles(chart: StoredChart): File[] {
  const { dependencies: _, ...metadata } = chart.metadata;
  const subcharts = (requirementsOf(chart) ?? []).flatMap(({ name, version }, index) => {
    const folder = `charts/${index}-${name}`;
    // requirements.yaml may have a range of versions; the lock file has the exact one.
    const exact = chart.lock?.dependencies[index]?.version ?? version;
    const complaint = `subchart ${name} ${exact} is enabled, but Helm keeps no subcharts in a release`;
    return [
      {
        path: `${folder}/Chart.yaml`,
        content: JSON.stringify({ apiVersion: "v1", name, version: exact }),
      },
      { path: `${folder}/templates/missing.yaml`, content: `{{ fail ${JSON.stringify(complaint)} }}` },
    ];
  });
  return [
    // JSON is YAML, and leaves nothing to interpret.
    { path: "Chart.yaml", content: JSON.stringify(metadata) },
    { path: "values.yaml", content: JSON.stringify(chart.values) },
    ...(chart.schema ? [{ path: "values.schema.json", content: chart.schema }] : []),
    ...[...chart.templates, ...chart.files].map(({ name, data }) => ({ path: name, content: data })),
    ...subcharts,
  ];
}

function requirementsOf({ files }: StoredChart) {
  const file = files.find(({ name }) => name === "requirements.yaml");
  return file && v.parse(Dependencies, load(file.data.toString())).dependencies;
}

/** The names come from the cluster: none may lead out of the folder. */
async function writeBelow(folder: string, { path, content }: File): Promise<void> {
  const target = join(folder, path);
  if (relative(folder, target).startsWith(`..${sep}`)) {
    throw new ActionError(`The chart in the release has a file ${JSON.stringify(path)}, outside its folder.`);
  }
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, content, { mode: 0o600 });
}
