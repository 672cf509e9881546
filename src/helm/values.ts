import { isDeepStrictEqual } from "node:util";
import { isMap, type YamlMap } from "../base/yaml.ts";

/**
 * Lays `over` over `base` as Helm does with several `--values`: maps merge, everything else is replaced. A
 * null stays: it removes a default later.
 */
export function joinValues(base: YamlMap, over: YamlMap): YamlMap {
  const joined = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const below = joined.get(key);
    joined.set(key, isMap(value) && isMap(below) ? joinValues(below, value) : value);
  }
  return Object.fromEntries(joined);
}

/**
 * Lays `over` over a release's values `base` as Helm does: as {@link joinValues}, but null removes
 * what `base` has (helm.sh/docs/chart_template_guide/values_files, "Deleting a default key"). A null
 * that `base` has already stays.
 */
export function mergeValues(base: YamlMap, over: YamlMap): YamlMap {
  const merged = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key);
    if (value === null && below !== undefined && below !== null) merged.delete(key);
    else merged.set(key, isMap(value) && isMap(below) ? mergeValues(below, value) : value);
  }
  return Object.fromEntries(merged);
}

/**
 * Lays a release's own values over its chart's defaults, as `helm get values --all` shows them (helm
 * pkg/chart/common/util/coalesce.go, without subcharts, which Helm doesn't keep): a null removes the default.
 */
export function computeValues(defaults: YamlMap, values: YamlMap): YamlMap {
  const computed = new Map(Object.entries(values));
  for (const [key, byDefault] of Object.entries(defaults)) {
    const [value, source] = [computed.get(key), withoutNull(byDefault)];
    if (value === null) computed.delete(key);
    else if (value === undefined && source !== null) computed.set(key, source);
    else if (isMap(value) && isMap(source)) computed.set(key, computeValues(source, value));
  }
  return Object.fromEntries(computed);
}

/** Returns values without the nulls in their maps. */
function withoutNull(value: unknown): unknown {
  if (!isMap(value)) return value;
  const entries = Object.entries(value).filter(([, below]) => below !== null);
  return Object.fromEntries(entries.map(([key, below]) => [key, withoutNull(below)]));
}

/**
 * Lays `over` over a release's own values `base`. A null removes the value. If the chart has a default there,
 * the null stays, because it keeps the default away. Otherwise the null goes too: charts would render it, and
 * Kubernetes reads it as an empty text.
 *
 * @param computed the chart's defaults with `base` over them
 * @param hasDefault tells whether the chart has a default at a path
 */
export function layValues(
  base: YamlMap,
  over: YamlMap,
  computed: unknown,
  hasDefault: (path: readonly string[]) => boolean,
  path: readonly string[] = [],
): YamlMap {
  const laid = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const [below, effective] = [laid.get(key), isMap(computed) ? valueAt(computed, key) : undefined];
    const here = [...path, key];
    if (value === null) {
      if (effective === undefined || effective === null) continue;
      if (hasDefault(here)) laid.set(key, null);
      else laid.delete(key);
    } else if (isMap(value)) {
      const result = layValues(isMap(below) ? below : {}, value, effective, hasDefault, here);
      const isNothing = below === undefined && Object.keys(result).length === 0 && hasNull(value);
      if (!isNothing) laid.set(key, result);
    } else laid.set(key, value);
  }
  return Object.fromEntries(laid);
}

/** Tells whether values have a null, which removes a default of the chart. */
export function hasNull(values: YamlMap): boolean {
  return Object.values(values).some((value) => value === null || (isMap(value) && hasNull(value)));
}

/** Returns the value at `path`, undefined when there is none. */
export function valueAt(values: YamlMap, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined),
    values,
  );
}

/** A value that differs. Both values may be secrets: they are not for the log. */
export interface ValueChange {
  /** e.g. `service.type`; keys that hold dots are quoted: `extraConfigFiles."user.yaml"` */
  path: string;
  before: unknown;
  after: unknown;
}

/** Returns the differences between two trees of values, in the order of `after`. */
export function diffValues(before: unknown, after: unknown, path: readonly string[] = []): ValueChange[] {
  // A map that is new is listed value by value too.
  if (before === undefined && isMap(after) && Object.keys(after).length > 0)
    return diffValues({}, after, path);
  if (isMap(before) && isMap(after)) {
    const keys = new Set([...Object.keys(after), ...Object.keys(before)]);
    return [...keys].flatMap((key) => diffValues(valueAt(before, key), valueAt(after, key), [...path, key]));
  }
  if (isDeepStrictEqual(before, after)) return [];
  const name = path.map((key) => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))).join(".");
  return [{ path: name, before, after }];
}
