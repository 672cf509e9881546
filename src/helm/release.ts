import { allOf } from "../base/async.ts";
import type { YamlMap } from "../base/yaml.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import type { ChartDefaults } from "./chart-defaults.ts";
import { isPending, type Revision } from "./history.ts";
import { listRevisions, readRevision, type StoredRelease } from "./stored-release.ts";
import { computeValues } from "./values.ts";

/** Tells whether Helm can upgrade a release with this status. */
export function isUpgradable({ status }: Pick<Release, "status">): boolean {
  return ["deployed", "failed", "superseded", NOT_INSTALLED].includes(status);
}

/** The status of a release that is not installed yet. Its revision is 0. Helm has no word for it. */
export const NOT_INSTALLED = "not-installed";

/**
 * The newest revision of a release. If that is not the deployed one (it failed, or two rollbacks ran at
 * once), chart and values are those of the deployed revision: Helm's next upgrade starts from it (helm
 * pkg/action/upgrade.go, prepareUpgrade).
 */
export interface Release {
  name: string;
  namespace: string;
  revision: number;
  /** `deployed`, `failed`, `pending-upgrade`, ..., or {@link NOT_INSTALLED}. */
  status: string;
  /** For `pending-*`: when Helm began (RFC 3339). */
  pendingSince?: string;
  /** Whether Helm 4 applies this release server-side. Helm keeps the method of the newest revision. */
  serverSide: boolean;
  chart: string;
  chartVersion: string;
  appVersion: string;
  /** What users have set over the chart's defaults. */
  values: YamlMap;
  /** The chart's defaults with `values` over them. */
  computedValues: YamlMap;
  /** The revision with the chart and the values; undefined when there is none yet. */
  base: StoredRelease | undefined;
}

/**
 * Reads a release; undefined when there is no such release.
 *
 * @throws ActionError when its Secrets can't be read
 */
export async function readRelease(
  api: ApiServer,
  name: string,
  namespace: string,
): Promise<Release | undefined> {
  const found = revisionsThatCount(await listRevisions(api, { name, namespace }));
  if (!found) return undefined;
  const [newest, base] = await allOf([
    readRevision(api, { name, namespace }, found.newest),
    found.base === found.newest ? undefined : readRevision(api, { name, namespace }, found.base),
  ]);
  return releaseOf(name, namespace, newest, base ?? newest);
}

/**
 * Returns the numbers of the newest revision and of the one from which Helm's next upgrade starts;
 * undefined when there is no revision.
 *
 * @param revisions the oldest first
 */
export function revisionsThatCount(
  revisions: readonly Pick<Revision, "revision" | "status">[],
): { newest: number; base: number } | undefined {
  const newest = revisions.at(-1);
  if (!newest) return undefined;
  const hasEnded = newest.status === "failed" || newest.status === "superseded";
  const deployed = hasEnded ? revisions.findLast(({ status }) => status === "deployed") : undefined;
  return { newest: newest.revision, base: (deployed ?? newest).revision };
}

/**
 * @param newest the newest revision
 * @param base the revision from which Helm's next upgrade starts
 */
function releaseOf(name: string, namespace: string, newest: StoredRelease, base: StoredRelease): Release {
  const { metadata, values: defaults } = base.chart;
  return {
    name,
    namespace,
    revision: newest.revision,
    status: newest.status,
    ...(isPending(newest) && { pendingSince: newest.updated }),
    serverSide: newest.serverSide,
    chart: metadata.name,
    chartVersion: metadata.version,
    appVersion: metadata.appVersion ?? "",
    values: base.values,
    computedValues: computeValues(defaults, base.values),
    base,
  };
}

/** Returns a release that is not installed yet, with its chart's defaults. */
export function releaseToInstall(name: string, namespace: string, chart: ChartDefaults): Release {
  return {
    name,
    namespace,
    revision: 0,
    status: NOT_INSTALLED,
    serverSide: false,
    chart: chart.name,
    chartVersion: chart.version,
    appVersion: chart.appVersion,
    values: {},
    computedValues: chart.values,
    base: undefined,
  };
}
