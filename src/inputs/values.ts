import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ActionError, messageOf } from "../base/errors.ts";
import { textOf } from "../base/utf8.ts";
import type { YamlMap } from "../base/yaml.ts";
import { parseYamlMap } from "../base/yaml.ts";
import { joinValues } from "../helm/values.ts";
import type { InputReader } from "./reader.ts";

/** YAML that is laid over the release's values. */
export interface ValuesSource {
  /** The input's name or the file's path, for messages. */
  origin: string;
  /** The text as given, which Helm reads. */
  text: string;
  values: YamlMap;
}

export function readValues({ raw, lines, mistakes }: InputReader, workspace: string): ValuesSource[] {
  const sources: ValuesSource[] = [];
  const add = (origin: string, read: () => string) => {
    try {
      const text = read();
      sources.push({ origin, text, values: parseYamlMap(text, origin) });
    } catch (error) {
      mistakes.push(
        error instanceof ActionError ? error.message : `${origin} can't be read: ${messageOf(error)}`,
      );
    }
  };
  for (const file of lines("values_files"))
    add(`values_files: ${file}`, () => textOf(readFileSync(resolve(workspace, file))));
  const inline = raw("values");
  if (inline.trim() !== "") add("values", () => inline);
  return sources;
}

/** Joins the values of the inputs, the later ones over the earlier ones. */
export function requestedValues({ values }: { values: readonly ValuesSource[] }): YamlMap {
  return values.reduce<YamlMap>((over, source) => joinValues(over, source.values), {});
}
