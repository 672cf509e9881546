import * as v from "valibot";
import { ActionError } from "../errors.ts";
import { type Output, type Program, run } from "../process.ts";
import { isMap, type YamlMap } from "../yaml.ts";

/** A release as Helm has it: its newest revision. */
export interface Release {
  name: string;
  namespace: string;
  revision: number;
  /** `deployed`, `failed`, `pending-upgrade`, ... */
  status: string;
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
});

/**
 * Reads a release's newest revision; undefined when there is no such release.
 *
 * @throws ActionError when Helm can't reach the cluster or may not read the release
 */
export async function readRelease(
  helm: Program,
  name: string,
  namespace: string,
): Promise<Release | undefined> {
  const read = (...args: string[]) =>
    run(helm, ["get", ...args, name, "--namespace", namespace, "-o", "json"]);
  const outputs = await Promise.all([read("metadata"), read("values"), read("values", "--all")]);
  const failed = outputs.find((output) => output.exitCode !== 0);
  if (failed) {
    if (/release: not found/.test(failed.stderr)) return undefined;
    throw helmError(`Helm could not read release ${name} in namespace ${namespace}.`, failed);
  }
  const [metadata, values, computedValues] = outputs.map((output): unknown => JSON.parse(output.stdout));
  const { chart, version, appVersion, revision, status } = v.parse(Metadata, metadata);
  return {
    name,
    namespace,
    revision,
    status,
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
  return new ActionError(what, { why: lines.join("\n") || `exit code ${output.exitCode}`, ...details });
}
