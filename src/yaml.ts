import {
  boolYaml11Tag,
  CORE_SCHEMA,
  floatYaml11Tag,
  intYaml11Tag,
  load,
  mergeTag,
  YAMLException,
} from "js-yaml";
import { ActionError } from "./errors.ts";

export type YamlMap = { [key: string]: unknown };

/**
 * YAML as Helm reads it: sigs.k8s.io/yaml follows YAML 1.1 for booleans (`yes`, `on`) and numbers (`0777`), but
 * leaves timestamps as text.
 */
const HELM_SCHEMA = CORE_SCHEMA.withTags(mergeTag, boolYaml11Tag, intYaml11Tag, floatYaml11Tag);

export function isMap(value: unknown): value is YamlMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Parses one YAML document that holds a map, as Helm would. An empty document gives an empty map.
 *
 * @param origin what the text is, for the error: an input's name or a file's path
 * @throws ActionError naming line and column when the text doesn't parse, or saying what it holds instead of a map
 */
export function parseYamlMap(text: string, origin: string): YamlMap {
  let value: unknown;
  try {
    value = text.trim() === "" ? {} : load(text, { schema: HELM_SCHEMA });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const place = error.mark ? ` at line ${error.mark.line + 1}, column ${error.mark.column + 1}` : "";
    throw new ActionError(`${origin} is not valid YAML${place}: ${error.reason}.`);
  }
  if (value === null || value === undefined) return {};
  if (!isMap(value)) {
    const kind = Array.isArray(value) ? "a list" : `a ${typeof value}`;
    throw new ActionError(`${origin} must be a YAML map of Helm values, but holds ${kind}.`);
  }
  return value;
}
