import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { difference, type FieldTree, union } from "../../src/kubernetes/field-tree.ts";

describe("union", () => {
  test.each<[string, FieldTree, FieldTree, FieldTree]>([
    ["two empty trees", {}, {}, {}],
    ["two fields", { "f:a": {} }, { "f:b": {} }, { "f:a": {}, "f:b": {} }],
    [
      "fields at two levels",
      { "f:a": { ".": {} } },
      { "f:a": { "f:b": { "f:c": {} } } },
      { "f:a": { ".": {}, "f:b": { "f:c": {} } } },
    ],
  ])("%s", (_, one, other, both) => {
    expect(union(one, other)).toEqual(both);
    expect(union(other, one)).toEqual(both);
  });
});

describe("difference", () => {
  test.each<[string, FieldTree, FieldTree, FieldTree]>([
    ["equal trees", { "f:a": { ".": {}, "f:b": {} } }, { "f:a": { ".": {}, "f:b": {} } }, {}],
    ["an empty second tree", { "f:a": { "f:b": {} } }, {}, { "f:a": { "f:b": {} } }],
    [
      "a common leaf",
      { "f:a": { "f:b": {}, "f:c": {} } },
      { "f:a": { "f:c": {} } },
      { "f:a": { "f:b": {} } },
    ],
    ["a leaf above a field of the other", { "f:a": {} }, { "f:a": { "f:b": {} } }, {}],
    [
      "a map that only the first tree has as such",
      { "f:a": { ".": {}, "f:b": {} } },
      { "f:a": { "f:b": {} } },
      { "f:a": { ".": {} } },
    ],
  ])("%s", (_, one, other, rest) => {
    expect(difference(one, other)).toEqual(rest);
  });
});

describe("any trees", () => {
  const keys = fc.constantFrom(".", "f:a", "f:b", "f:c");
  const { tree } = fc.letrec<{ tree: FieldTree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constant({}),
      fc.dictionary(keys, tie("tree"), { noNullPrototype: true }),
    ),
  }));

  test("the difference of any two trees has exactly the fields that the second one lacks", () => {
    fc.assert(
      fc.property(tree, tree, (one, other) => {
        expect(union(difference(one, other), other)).toEqual(union(one, other));
        expect(difference(one, union(one, other))).toEqual({});
        expect(union(one, other)).toEqual(union(other, one));
      }),
    );
  });
});
