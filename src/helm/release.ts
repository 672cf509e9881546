import * as v from "valibot";
import { allOf } from "../async.ts";
import { ActionError } from "../errors.ts";
import { remedyOf } from "../kubernetes/remedies.ts";
import { type Output, type Program, run } from "../process.ts";
import { isMap, type YamlMap } from "../yaml.ts";

/**
 * A release as Helm has it: its newest revision. When that one has failed, chart and values are those of the deployed
 * revision, from which Helm's next upgrade goes on (helm pkg/action/upgrade.go, prepareUpgrade).
 */
export interface Release {
  name: string;
  namespace: string;
  revision: number;
  /** `deployed`, `failed`, `pending-upgrade`, ... */
  status: string;
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
  /** Helm 4 only: `ssa` or `csa`. */
  applyMethod: v.optional(v.string()),
});

const History = v.array(v.looseObject({ revision: v.number(), status: v.string() }));

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
  if (newest?.status !== "failed") return newest;

  const history = await run(helm, ["history", name, "--namespace", namespace, "-o", "json"]);
  if (history.exitCode !== 0)
    throw helmError(`Helm could not read the history of release ${name} in namespace ${namespace}.`, history);
  const deployed = v
    .parse(History, JSON.parse(history.stdout))
    .findLast(({ status }) => status === "deployed");
  if (!deployed) return newest;
  const base = await readRevision(helm, name, namespace, ["--revision", String(deployed.revision)]);
  return base && { ...base, revision: newest.revision, status: newest.status };
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
  const { chart, version, appVersion, revision, status, applyMethod } = v.parse(Metadata, metadata);
  return {
    name,
    namespace,
    revision,
    status,
    serverSide: applyMethod === "ssa",
    chart,
    chartVersion: version,
    appVersion,
    // Helm prints null for a release without values of its own.
    values: isMap(values) ? values : {},
    computedValues: isMap(computedValues) ? computedValues : {},
  };
}

/** Turns a failed call of Helm's into an error; warnings explain nothing and are left out. */
export function helmError(what: string, output: Output, details: { fix?: string } = {}): ActionError {
  const lines = output.stderr
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^(WARNING|W\d{4}|I\d{4})/.test(line));
  const why = lines.join("\n") || `exit code ${output.exitCode}`;
  return new ActionError(what, { why, ...remedyOf(why), ...details });
}
