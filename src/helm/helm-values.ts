import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dump } from "js-yaml";
import type { YamlMap } from "../base/yaml.ts";
import { joinValues } from "./values.ts";

/** The values of one Helm command. */
export type HelmValues =
  /** Laid over the release's own values: the user's files in their order, then the overlay. */
  | { kind: "over"; files: readonly ValuesFile[]; overlay: YamlMap }
  /** All of the release's own values from now on. */
  | { kind: "instead"; values: YamlMap };

/** A file of the input `values`. */
export interface ValuesFile {
  /** As the user wrote it: Helm reads this. */
  text: string;
  values: YamlMap;
}

/** Returns the values joined into one map. */
export function givenValues(values: HelmValues): YamlMap {
  if (values.kind === "instead") return values.values;
  return [...values.files.map((file) => file.values), values.overlay].reduce<YamlMap>(joinValues, {});
}

/** Lays more values over all others. */
export function withOverlay(values: HelmValues, over: YamlMap): HelmValues {
  return values.kind === "instead"
    ? { ...values, values: joinValues(values.values, over) }
    : { ...values, overlay: joinValues(values.overlay, over) };
}

/**
 * Runs a Helm command with values. They may be secrets: Helm reads them from private files, which are deleted
 * after the command, and from standard input.
 *
 * @param directory a private folder for the files while Helm runs
 */
export async function withValues<T>(
  values: HelmValues,
  directory: string,
  call: (flags: string[], input: string) => Promise<T>,
): Promise<T> {
  if (values.kind === "instead") return call(["--values", "-"], dump(values.values));
  const folder = await mkdtemp(join(directory, "values-"));
  try {
    const flags: string[] = [];
    for (const [index, { text }] of values.files.entries()) {
      const file = join(folder, `${index}.yaml`);
      await writeFile(file, text, { mode: 0o600 });
      flags.push("--values", file);
    }
    return await call([...flags, "--values", "-"], dump(values.overlay));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
