import * as v from "valibot";

/**
 * Fields in the notation of metadata.managedFields (fieldsV1): `f:name` is a field, `k:{...}` the list item
 * with these keys, `v:value` a value in a set, `.` the field or item itself.
 */
export type FieldTree = { [key: string]: FieldTree };

export const FieldTree: v.GenericSchema<FieldTree> = v.record(
  v.string(),
  v.lazy(() => FieldTree),
);

/** Returns the fields that either tree has. */
export function union(one: FieldTree, other: FieldTree): FieldTree {
  const both: FieldTree = { ...one };
  for (const [key, below] of Object.entries(other)) both[key] = union(both[key] ?? {}, below);
  return both;
}

/**
 * Returns the fields that only the first tree has. A leaf goes if the other tree has it or a field below it.
 */
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
