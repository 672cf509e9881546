import { isDeepStrictEqual } from "node:util";
import { isMap, type YamlMap } from "../yaml.ts";

/**
 * Lays `over` over `base` as Helm does: maps merge, everything else is replaced, and null removes what `base` has
 * (helm.sh/docs/chart_template_guide/values_files, "Deleting a default key").
 */
export function mergeValues(base: YamlMap, over: YamlMap): YamlMap {
  const merged: YamlMap = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    if (value === null && key in base) delete merged[key];
    else merged[key] = isMap(value) && isMap(below) ? mergeValues(below, value) : value;
  }
  return merged;
}

/** Returns the value at `path`, undefined when there is none. */
export function valueAt(values: YamlMap, ...path: string[]): unknown {
  return path.reduce<unknown>((value, key) => (isMap(value) ? value[key] : undefined), values);
}

/** One difference between two trees of values. The values themselves may be secrets: they are not for the log. */
export interface ValueChange {
  /** e.g. `service.type`; keys that hold dots are quoted: `extraConfigFiles."user.yaml"` */
  path: string;
  before: unknown;
  after: unknown;
}

/** Returns the differences between two trees of values, in the order of `after`. */
export function diffValues(before: unknown, after: unknown, path: readonly string[] = []): ValueChange[] {
  if (isMap(before) && isMap(after)) {
    const keys = [...Object.keys(after), ...Object.keys(before).filter((key) => !(key in after))];
    return keys.flatMap((key) => diffValues(before[key], after[key], [...path, key]));
  }
  if (isDeepStrictEqual(before, after)) return [];
  const name = path.map((key) => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))).join(".");
  return [{ path: name, before, after }];
}
