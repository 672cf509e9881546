import { resolve } from "node:path";
import { messageOf } from "../base/errors.ts";
import { readTextFile } from "../base/file.ts";
import { warning } from "../base/log.ts";
import { isMap, parseYamlMap, YamlError, type YamlMap } from "../base/yaml.ts";
import { joinValues } from "../helm/values.ts";
import type { InputReader } from "./reader.ts";

/** GitHub shows ten warnings of a step. */
const MOST_WARNINGS = 5;

/** YAML that is laid over the release's values. */
export interface ValuesSource {
  /** The input's name or the file's path, for messages. */
  origin: string;
  /** The text as given, which Helm reads. */
  text: string;
  values: YamlMap;
}

/**
 * Reads the inputs `values_files` and `values`. Warns of placeholders.
 *
 * @param workspace the folder that relative paths start from
 */
export function readValues({ raw, lines, mistakes }: InputReader, workspace: string): ValuesSource[] {
  const sources: ValuesSource[] = [];
  const add = (origin: string, text: string, path?: string) => {
    const refuse = (message: string, line: number) =>
      mistakes.push(path === undefined ? message : { message, path, line });
    try {
      const values = parseYamlMap(text, origin);
      if (isEncrypted(values)) {
        refuse(`${origin} is encrypted (sops): decrypt it in a step before (sops --decrypt)`, 1);
      }
      warnOfPlaceholders(origin, placeholdersIn(values));
      sources.push({ origin, text, values });
    } catch (error) {
      if (!(error instanceof YamlError)) throw error;
      refuse(error.message, error.line);
    }
  };
  for (const file of lines("values_files")) {
    const origin = `values_files: ${file}`;
    let text: string;
    try {
      text = readTextFile(resolve(workspace, file));
    } catch (error) {
      mistakes.push(`${origin} can't be read: ${messageOf(error)}`);
      continue;
    }
    add(origin, text, file);
  }
  const inline = raw("values");
  if (inline.trim() !== "") add("values", inline);
  return sources;
}

function warnOfPlaceholders(origin: string, paths: readonly string[]): void {
  for (const path of paths.slice(0, MOST_WARNINGS)) {
    warning(
      `${origin}: the value ${path} is a placeholder that nothing has filled in. Helm takes it as it is.`,
    );
  }
  const left = paths.length - MOST_WARNINGS;
  if (left > 0) warning(`${origin}: ${left} more values are placeholders.`);
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
