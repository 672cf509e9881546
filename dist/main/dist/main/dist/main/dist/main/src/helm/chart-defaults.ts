import * as v from "valibot";
import { allOf } from "../base/async.ts";
import { type Program, run } from "../base/process.ts";
import { parseYamlMap, type YamlMap } from "../base/yaml.ts";
import type { LocalChart } from "./chart.ts";
import { helmError } from "./error.ts";

/** What a chart says of itself. */
export interface ChartDefaults {
  name: string;
  version: string;
  appVersion: string;
  /** Its default values. */
  values: YamlMap;
}

const Metadata = v.looseObject({
  name: v.string(),
  version: v.string(),
  appVersion: v.optional(v.string(), ""),
});

/**
 * Reads a chart's metadata and default values.
 *
 * @throws ActionError when Helm can't read the chart
 */
export async function chartDefaults(helm: Program, { path }: LocalChart): Promise<ChartDefaults> {
  const show = async (part: "chart" | "values") => {
    const output = await run(helm, ["show", part, path]);
    if (output.exitCode !== 0)
      throw helmError(`The chart at ${path} can't be read; nothing was changed.`, output);
    return parseYamlMap(output.stdout, `What helm show ${part} says of ${path}`);
  };
  const [metadata, values] = await allOf([show("chart"), show("values")]);
  const { name, version, appVersion } = v.parse(Metadata, metadata);
  return { name, version, appVersion, values };
}
