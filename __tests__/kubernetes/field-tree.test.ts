import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { difference, type FieldTree, union, without } from "../../src/kubernetes/field-tree.ts";

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

describe("without", () => {
  test.each<[string, Record<string, unknown>, FieldTree, Record<string, unknown>]>([
    ["no fields", { a: 1 }, {}, { a: 1 }],
    ["a field that isn't there", { a: 1 }, { "f:b": {} }, { a: 1 }],
    ["a field", { a: 1, b: 2 }, { "f:b": {} }, { a: 1 }],
    ["a list as a whole", { a: [1, 2] }, { "f:a": {} }, {}],
    ["a field of a map that somebody else has made", { a: { b: 1 } }, { "f:a": { "f:b": {} } }, { a: {} }],
    ["the last field of a map and the map", { a: { b: 1 } }, { "f:a": { ".": {}, "f:b": {} } }, {}],
    [
      "one field of a map that stays for the other",
      { a: { b: 1, c: 2 } },
      { "f:a": { ".": {}, "f:b": {} } },
      { a: { c: 2 } },
    ],
    ["a map with all that is in it", { a: { b: 1, c: 2 } }, { "f:a": { ".": {} } }, {}],
    [
      "a list's item",
      { a: [{ port: 80, name: "x" }, { port: 443 }] },
      { "f:a": { 'k:{"port":80}': { ".": {}, "f:port": {}, "f:name": {} } } },
      { a: [{ port: 443 }] },
    ],
    [
      "a field of a list's item",
      { a: [{ port: 80, name: "x", kind: "y" }] },
      { "f:a": { 'k:{"port":80}': { ".": {}, "f:port": {}, "f:name": {} } } },
      { a: [{ port: 80, kind: "y" }] },
    ],
    ["a value of a set", { a: ["x", "y"] }, { "f:a": { 'v:"x"': {} } }, { a: ["y"] }],
  ])("%s", (_, object, fields, rest) => {
    expect(without(object, fields)).toEqual(rest);
  });
});
