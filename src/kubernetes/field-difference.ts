import { isDeepStrictEqual } from "node:util";
import { isMap, type YamlMap } from "../base/yaml.ts";

/** One field in which two objects differ. Values may be secrets. */
export interface FieldDifference {
  /** e.g. `spec.template.spec.containers[proxy].image`; keys with other characters are quoted. */
  path: string;
  /** Undefined: the field isn't there. */
  before: unknown;
  after: unknown;
}

/** The keys by which Kubernetes tells the items of its lists apart. The first that fits counts. */
const ITEM_KEYS = ["name", "mountPath", "containerPort", "port", "key"];

/**
 * Returns the fields in which two objects differ, none when they mean the same. A field that is null counts
 * as one that isn't there, as for Kubernetes. Lists of named items are compared by name; where only their
 * order differs, the order is the difference. What is new or gone is one difference, however much is in it.
 */
export function differences(before: unknown, after: unknown, path = ""): FieldDifference[] {
  const [one, other] = [before ?? undefined, after ?? undefined];
  if (isDeepStrictEqual(one, other)) return [];
  if (isMap(one) && isMap(other)) return mapDifferences(one, other, path);
  if (Array.isArray(one) && Array.isArray(other)) return listDifferences(one, other, path);
  return [{ path, before: one, after: other }];
}

function mapDifferences(before: YamlMap, after: YamlMap, path: string): FieldDifference[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => {
    return differences(own(before, key), own(after, key), fieldPath(path, key));
  });
}

/** Returns the path of a map's field, e.g. `metadata.annotations["a/b"]`. */
export function fieldPath(path: string, key: string): string {
  return /^[\w-]+$/.test(key) ? `${path && `${path}.`}${key}` : `${path}[${JSON.stringify(key)}]`;
}

function listDifferences(before: unknown[], after: unknown[], path: string): FieldDifference[] {
  const key = itemKeyOf(before, after);
  const [old, wanted] = key === undefined ? [] : [namesOf(before, key), namesOf(after, key)];
  if (!old || !wanted) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, index) => {
      const item = { path: `${path}[${index}]`, before: before[index], after: after[index] };
      const isBoth = index < before.length && index < after.length;
      return isBoth ? differences(item.before, item.after, item.path) : [item];
    }).flat();
  }
  const all = [...new Set([...old, ...wanted])];
  const found = all.flatMap((name) =>
    differences(before[old.indexOf(name)], after[wanted.indexOf(name)], `${path}[${name}]`),
  );
  const isReordered = !isDeepStrictEqual(
    old.filter((name) => wanted.includes(name)),
    wanted.filter((name) => old.includes(name)),
  );
  return isReordered ? [...found, { path, before: old, after: wanted }] : found;
}

/** Returns the key that tells the items of two lists apart; undefined when none does. */
export function itemKeyOf(before: readonly unknown[], after: readonly unknown[]): string | undefined {
  return ITEM_KEYS.find((each) => namesOf(before, each) && namesOf(after, each));
}

/** Returns what tells the items of a list apart, undefined when this key doesn't. */
function namesOf(list: readonly unknown[], key: string): string[] | undefined {
  const names = list.flatMap((item) => {
    const name = isMap(item) ? own(item, key) : undefined;
    return typeof name === "string" || typeof name === "number" ? [String(name)] : [];
  });
  return new Set(names).size === list.length ? names : undefined;
}

function own(map: YamlMap, key: string): unknown {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}
