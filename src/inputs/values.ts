import { resolve } from "node:path";
import { messageOf } from "../base/errors.ts";
import { readTextFile } from "../base/file.ts";
import { warning } from "../base/log.ts";
import { isMap, parseYamlMap, YamlError, type YamlMap } from "../base/yaml.ts";
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
  const add = (origin: string, text: string, path?: string) => {
    try {
      const values = parseYamlMap(text, origin);
      if (isEncrypted(values)) {
        mistakes.push(`${origin} is encrypted (sops): decrypt it in a step before (sops --decrypt)`);
      }
      for (const path of placeholdersIn(values)) {
        warning(
          `${origin}: the value ${path} is a placeholder that nothing has filled in. Helm takes it as it is.`,
        );
      }
      sources.push({ origin, text, values });
    } catch (error) {
      if (!(error instanceof YamlError)) throw error;
      const { message, line } = error;
      mistakes.push(path === undefined ? message : { message, path, line });
    }
  };
  for (const file of lines("values_files")) {
    try {
      add(`values_files: ${file}`, readTextFile(resolve(workspace, file)), file);
    } catch (error) {
      mistakes.push(`values_files: ${file} can't be read: ${messageOf(error)}`);
    }
  }
  const inline = raw("values");
  if (inline.trim() !== "") add("values", inline);
  return sources;
}

/** Joins the values of the inputs, the later ones over the earlier ones. */
export function requestedValues({ values }: { values: readonly ValuesSource[] }): YamlMap {
  return values.reduce<YamlMap>((over, source) => joinValues(over, source.values), {});
}

/** Tells a file that sops has encrypted: it keeps its own data beside the values (getsops.io). */
function isEncrypted(value: unknown): boolean {
  if (typeof value === "string") return value.startsWith("ENC[AES256_GCM,");
  if (Array.isArray(value)) return value.some(isEncrypted);
  if (!isMap(value)) return false;
  return (isMap(value.sops) && "mac" in value.sops) || Object.values(value).some(isEncrypted);
}

/** Returns the paths of values that are nothing but a placeholder, such as `${NAME}` or `{{ NAME }}`. */
function placeholdersIn(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value === "string")
    return /^(\$\{\w+\}|\{\{[^{}]*\}\})$/.test(value.trim()) ? [path.join(".")] : [];
  if (Array.isArray(value))
    return value.flatMap((item, index) => placeholdersIn(item, [...path, String(index)]));
  if (!isMap(value)) return [];
  return Object.entries(value).flatMap(([key, below]) => placeholdersIn(below, [...path, key]));
}
