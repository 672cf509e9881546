import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { difference, type FieldTree, union } from "../../src/kubernetes/field-tree.ts";

describe("union", () => {
  test.each<[string, FieldTree, FieldTree, FieldTree]>([
    ["nothing and nothing", {}, {}, {}],
    ["side by side", { "f:a": {} }, { "f:b": {} }, { "f:a": {}, "f:b": {} }],
    [
      "one below the other",
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
    ["of the same", { "f:a": { ".": {}, "f:b": {} } }, { "f:a": { ".": {}, "f:b": {} } }, {}],
    ["to nothing", { "f:a": { "f:b": {} } }, {}, { "f:a": { "f:b": {} } }],
    ["of a leaf", { "f:a": { "f:b": {}, "f:c": {} } }, { "f:a": { "f:c": {} } }, { "f:a": { "f:b": {} } }],
    ["to what lies below", { "f:a": {} }, { "f:a": { "f:b": {} } }, {}],
    [
      "of the map itself",
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

  test("a difference leaves out what the other has, and nothing else", () => {
    fc.assert(
      fc.property(tree, tree, (one, other) => {
        expect(union(difference(one, other), other)).toEqual(union(one, other));
        expect(difference(one, union(one, other))).toEqual({});
        expect(union(one, other)).toEqual(union(other, one));
      }),
    );
  });
});
