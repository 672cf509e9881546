import * as v from "valibot";
import { isMap, type YamlMap } from "../base/yaml.ts";

/**
 * Fields as metadata.managedFields names them (fieldsV1): `f:name` a field, `k:{...}` the list item with these keys,
 * `v:value` the value in a set, `.` the field or item itself.
 */
export type FieldTree = { [key: string]: FieldTree };

export const FieldTree: v.GenericSchema<FieldTree> = v.record(
  v.string(),
  v.lazy(() => FieldTree),
);

/** Returns all fields of two trees. */
export function union(one: FieldTree, other: FieldTree): FieldTree {
  const both: FieldTree = { ...one };
  for (const [key, below] of Object.entries(other)) both[key] = union(both[key] ?? {}, below);
  return both;
}

/** Returns the fields of a tree that another doesn't have. What lies above a field of the other stays with that. */
export function difference(one: FieldTree, other: FieldTree): FieldTree {
  return Object.fromEntries(
    Object.entries(one).flatMap(([key, below]) => {
      const match = other[key];
      if (!match) return [[key, below]];
      const rest = difference(below, match);
      return Object.keys(rest).length > 0 ? [[key, rest]] : [];
    }),
  );
}

/**
 * Returns an object as it is when nobody manages the fields of a tree any more: server-side apply removes them then. A
 * map or list item stays as long as something is left in it besides the keys by which it is found.
 */
export function without(object: YamlMap, fields: FieldTree): YamlMap {
  return Object.fromEntries(
    Object.entries(object).flatMap(([name, value]) => {
      const below = fields[`f:${name}`];
      if (!below) return [[name, value]];
      if (isLeaf(below)) return [];
      const rest = valueWithout(value, below);
      return "." in below && isEmpty(rest) ? [] : [[name, rest]];
    }),
  );
}

function valueWithout(value: unknown, fields: FieldTree): unknown {
  if (Array.isArray(value)) return value.flatMap((item) => itemWithout(item, fields));
  return isMap(value) ? without(value, fields) : value;
}

/** Returns a list's item, or nothing where it goes. */
function itemWithout(item: unknown, fields: FieldTree): unknown[] {
  if (!isMap(item)) return `v:${JSON.stringify(item)}` in fields ? [] : [item];
  for (const [name, below] of Object.entries(fields)) {
    const keys: unknown = name.startsWith("k:") && JSON.parse(name.slice(2));
    if (!isMap(keys) || Object.entries(keys).some(([key, value]) => item[key] !== value)) continue;
    const rest = without(item, below);
    const gone = isLeaf(below) || ("." in below && Object.keys(rest).every((key) => key in keys));
    return gone ? [] : [{ ...rest, ...keys }];
  }
  return [item];
}

/** Whether a tree names the field itself and nothing in it. */
function isLeaf(fields: FieldTree): boolean {
  return Object.keys(fields).every((key) => key === ".");
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
