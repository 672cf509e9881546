import * as v from "valibot";
import { allOf } from "../base/async.ts";
import { type Program, run } from "../base/process.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import type { ChartDefaults } from "./chart-defaults.ts";
import { helmError } from "./error.ts";
import { isPending, readHistory } from "./history.ts";

/** Tells whether Helm upgrades a release of this status, if only from an older revision of it. */
export function isUpgradable({ status }: Pick<Release, "status">): boolean {
  return ["deployed", "failed", "superseded", NOT_INSTALLED].includes(status);
}

/** The status of a release that is yet to be installed, whose revision is 0; Helm has no word for it. */
export const NOT_INSTALLED = "not-installed";

/**
 * A release as Helm has it: its newest revision. When that one isn't the deployed one (it has failed, or two rollbacks
 * have overtaken each other), chart and values are those of the deployed revision, from which Helm's next upgrade goes
 * on (helm pkg/action/upgrade.go, prepareUpgrade).
 */
export interface Release {
  name: string;
  namespace: string;
  revision: number;
  /** `deployed`, `failed`, `pending-upgrade`, ..., or {@link NOT_INSTALLED}. */
  status: string;
  /** While it is `pending-*`: when Helm began with it (RFC 3339). */
  pendingSince?: string;
  /** Whether Helm 4 applies this release server-side: it does for those that it has installed itself. */
  serverSide: boolean;
  chart: string;
  chartVersion: string;
  appVersion: string;
  /** What users have set over the chart's defaults. */
  values: YamlMap;
  /** The chart's defaults with `values` over them. */
  computedValues: YamlMap;
}

const Metadata = v.looseObject({
  chart: v.string(),
  version: v.string(),
  appVersion: v.optional(v.string(), ""),
  revision: v.number(),
  status: v.string(),
  deployedAt: v.optional(v.string()),
  /** Helm 4 only: `ssa` or `csa`. */
  applyMethod: v.optional(v.string()),
});

/**
 * Reads a release; undefined when there is no such release.
 *
 * @throws ActionError when Helm can't reach the cluster or may not read the release
 */
export async function readRelease(
  helm: Program,
  name: string,
  namespace: string,
): Promise<Release | undefined> {
  const newest = await readRevision(helm, name, namespace, []);
  if (newest?.status !== "failed" && newest?.status !== "superseded") return newest;

  const history = await readHistory(helm, name, namespace);
  const deployed = history.findLast(({ status }) => status === "deployed");
  if (!deployed) return newest;
  const base = await readRevision(helm, name, namespace, ["--revision", String(deployed.revision)]);
  return base && { ...base, revision: newest.revision, status: newest.status };
}

/** Returns a release that is yet to be installed, as its chart will have it when no values are given. */
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
  };
}

async function readRevision(
  helm: Program,
  name: string,
  namespace: string,
  which: string[],
): Promise<Release | undefined> {
  const read = (...args: string[]) =>
    run(helm, ["get", ...args, name, ...which, "--namespace", namespace, "-o", "json"]);
  const outputs = await allOf([read("metadata"), read("values"), read("values", "--all")]);
  const failed = outputs.find((output) => output.exitCode !== 0);
  if (failed) {
    if (/release: not found/.test(failed.stderr)) return undefined;
    throw helmError(`Helm could not read release ${name} in namespace ${namespace}.`, failed);
  }
  const [metadata, values, computedValues] = outputs.map((output): unknown => JSON.parse(output.stdout));
  const { chart, version, appVersion, revision, status, deployedAt, applyMethod } = v.parse(
    Metadata,
    metadata,
  );
  return {
    name,
    namespace,
    revision,
    status,
    ...(deployedAt && isPending({ status }) && { pendingSince: deployedAt }),
    serverSide: applyMethod === "ssa",
    chart,
    chartVersion: version,
    appVersion,
    // Helm prints null for a release without values of its own.
    values: isMap(values) ? values : {},
    computedValues: isMap(computedValues) ? computedValues : {},
  };
}
