import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMap } from "../../src/base/yaml.ts";
import { differences } from "../../src/kubernetes/field-difference.ts";

const deployment = (...containers: object[]) => ({ spec: { template: { spec: { containers } } } });

describe("differences", () => {
  test.each<[string, unknown, unknown, ReturnType<typeof differences>]>([
    ["none", { a: [{ name: "x" }] }, { a: [{ name: "x" }] }, []],
    ["a null and a field that isn't there mean the same", { a: null }, {}, []],
    ["a number isn't its text", { a: 1 }, { a: "1" }, [{ path: "a", before: 1, after: "1" }]],
    [
      "named items, whatever their order",
      deployment({ name: "agent" }, { name: "proxy", image: "milvus:1" }),
      deployment({ name: "sidecar" }, { name: "agent" }, { name: "proxy", image: "milvus:2" }),
      [
        {
          path: "spec.template.spec.containers[proxy].image",
          before: "milvus:1",
          after: "milvus:2",
        },
        { path: "spec.template.spec.containers[sidecar]", before: undefined, after: { name: "sidecar" } },
      ],
    ],
    [
      "the order of named items",
      [{ name: "a" }, { name: "b" }],
      [{ name: "b" }, { name: "a" }],
      [{ path: "", before: ["a", "b"], after: ["b", "a"] }],
    ],
    [
      "mounts of one volume, which share its name",
      {
        m: [
          { name: "v", mountPath: "/a" },
          { name: "v", mountPath: "/b" },
        ],
      },
      { m: [{ name: "v", mountPath: "/b" }] },
      [{ path: "m[/a]", before: { name: "v", mountPath: "/a" }, after: undefined }],
    ],
    [
      "other lists by position",
      { args: ["a", "b"] },
      { args: ["a"] },
      [{ path: "args[1]", before: "b", after: undefined }],
    ],
    [
      "keys with dots",
      { annotations: { "x/y": "1" } },
      { annotations: {} },
      [{ path: 'annotations["x/y"]', before: "1", after: undefined }],
    ],
    ["a map instead of a text", { a: "x" }, { a: {} }, [{ path: "a", before: "x", after: {} }]],
  ])("%s", (_, before, after, expected) => {
    expect(differences(before, after)).toEqual(expected);
  });

  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom(null, 0, 1, "a", "b", true),
      fc.dictionary(fc.constantFrom("name", "mountPath", "a", "b.c"), tie("tree"), { maxKeys: 3 }),
      fc.array(tie("tree"), { maxLength: 3 }),
    ),
  }));

  test("exist exactly when two objects mean different things", () => {
    fc.assert(
      fc.property(tree, tree, (one, other) => {
        const isSame = isDeepStrictEqual(withoutNull(one), withoutNull(other));
        expect(differences(one, other).length === 0).toBe(isSame);
        expect(differences(one, one)).toEqual([]);
        const swapped = differences(other, one).map(({ path, before, after }) => ({
          path,
          before: after,
          after: before,
        }));
        expect(new Set(swapped.map(({ path }) => path))).toEqual(
          new Set(differences(one, other).map(({ path }) => path)),
        );
      }),
      { numRuns: 1000 },
    );
  });
});

function withoutNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNull);
  if (!isMap(value)) return value ?? undefined;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, below]) => (below === null ? [] : [[key, withoutNull(below)]])),
  );
}
