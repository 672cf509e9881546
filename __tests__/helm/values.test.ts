import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMap, type YamlMap } from "../../src/base/yaml.ts";
import { diffValues, joinValues, mergeValues, valueAt } from "../../src/helm/values.ts";

/**
 * Values of a chart. There are few keys, so that two trees often have the same ones, and some that every
 * object inherits.
 */
const { tree: values } = fc.letrec<{ tree: YamlMap; node: unknown }>((tie) => ({
  tree: fc.dictionary(fc.constantFrom("a", "b", "c.d", "toString", "__proto__"), tie("node"), { maxKeys: 4 }),
  node: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, "", "x", 0, 1, true, false),
    fc.array(fc.integer(), { maxLength: 2 }),
    tie("tree"),
  ),
}));

function leaves(value: unknown, path: string[] = []): { path: string[]; value: unknown }[] {
  if (!isMap(value)) return [{ path, value }];
  return Object.entries(value).flatMap(([key, below]) => leaves(below, [...path, key]));
}

/** Whether `over` says anything about `path`, about a part of it, or about something below it. */
function touches(over: YamlMap, path: string[]): boolean {
  return path.every((_, index) => {
    const parent = index === 0 ? over : valueAt(over, ...path.slice(0, index));
    return !isMap(parent) || Object.hasOwn(parent, path[index] ?? "");
  });
}

describe("mergeValues", () => {
  test.each<[string, YamlMap, YamlMap, YamlMap]>([
    ["maps merge", { s: { a: 1, b: 2 } }, { s: { b: 3, c: 4 } }, { s: { a: 1, b: 3, c: 4 } }],
    ["lists are replaced", { l: [1, 2] }, { l: [3] }, { l: [3] }],
    ["a map replaces a text", { s: "x" }, { s: { a: 1 } }, { s: { a: 1 } }],
    ["a text replaces a map", { s: { a: 1 } }, { s: "x" }, { s: "x" }],
    ["null removes", { s: { a: 1, b: 2 } }, { s: { a: null } }, { s: { b: 2 } }],
    ["null removes a map", { s: { a: 1 }, t: 1 }, { s: null }, { t: 1 }],
    ["null for what the chart may have is kept", {}, { s: null }, { s: null }],
    ["a null that is there already stays", { s: null }, { s: null }, { s: null }],
    ["null gives way to a value", { s: null }, { s: { a: 1 } }, { s: { a: 1 } }],
    ["an empty map takes nothing away", { s: { a: 1 } }, { s: {} }, { s: { a: 1 } }],
    ["a name that every object has", {}, { toString: null }, { toString: null }],
  ])("%s", (_, base, over, expected) => {
    expect(mergeValues(base, over)).toEqual(expected);
  });

  test("loses nothing of the base unless it is asked to", () => {
    fc.assert(
      fc.property(values, values, (base, over) => {
        const merged = mergeValues(base, over);
        for (const { path, value } of leaves(base)) {
          if (!touches(over, path)) expect(valueAt(merged, ...path)).toEqual(value);
        }
      }),
    );
  });

  test("has everything that is laid over, and removes what null asks for", () => {
    fc.assert(
      fc.property(values, values, (base, over) => {
        const merged = mergeValues(base, over);
        for (const { path, value } of leaves(over)) expect(valueAt(merged, ...path) ?? null).toEqual(value);
      }),
    );
  });

  test("twice is once, and neither tree is changed", () => {
    fc.assert(
      fc.property(values, values, (base, over) => {
        const before = structuredClone([base, over]);
        const settled = mergeValues(mergeValues(mergeValues(base, over), over), over);
        // The second time may bring a null for a chart's default where the first one removed a value.
        expect(mergeValues(settled, over)).toEqual(settled);
        expect([base, over]).toEqual(before);
      }),
    );
  });
});

describe("joinValues", () => {
  test.each<[string, YamlMap, YamlMap, YamlMap]>([
    [
      "null stays, for what all of it is laid over",
      { s: { a: 1, b: 2 } },
      { s: { a: null } },
      { s: { a: null, b: 2 } },
    ],
    ["a map takes the place of null", { s: null }, { s: { a: 1 } }, { s: { a: 1 } }],
    ["maps merge", { s: { a: 1 } }, { s: { b: { c: 2 } } }, { s: { a: 1, b: { c: 2 } } }],
  ])("%s", (_, base, over, expected) => {
    expect(joinValues(base, over)).toEqual(expected);
  });
});

describe("valueAt", () => {
  const tree = { a: { "b.c": [1], d: null } };
  test.each<[string[], unknown]>([
    [[], tree],
    [["a", "b.c"], [1]],
    [["a", "d"], null],
    [["a", "d", "e"], undefined],
    [["a", "b.c", "0"], undefined],
    [["constructor"], undefined],
    [["a", "__proto__"], undefined],
  ])("%j", (path, expected) => {
    expect(valueAt(tree, ...path)).toEqual(expected);
  });
});

describe("diffValues", () => {
  test("paths as Helm writes them, in the order of what comes after", () => {
    const before = { gone: { x: 1 }, service: { type: "LoadBalancer", port: 19530 }, constructor: 1 };
    const after = { extraConfigFiles: { "user.yaml": "a" }, service: { type: "ClusterIP", port: 19530 } };
    expect(diffValues(before, after)).toEqual([
      { path: 'extraConfigFiles."user.yaml"', before: undefined, after: "a" },
      { path: "service.type", before: "LoadBalancer", after: "ClusterIP" },
      { path: "gone", before: { x: 1 }, after: undefined },
      { path: "constructor", before: 1, after: undefined },
    ]);
    expect(diffValues({ a: { "b.c": 1, 'd"\n': 1 } }, { a: {} }).map(({ path }) => path)).toEqual([
      'a."b.c"',
      'a."d\\"\\n"',
    ]);
  });

  test("null is not the same as nothing", () => {
    expect(diffValues({}, { a: null })).toEqual([{ path: "a", before: undefined, after: null }]);
  });

  test("a tree doesn't differ from itself, and differs from another", () => {
    fc.assert(
      fc.property(values, values, (one, other) => {
        expect(diffValues(one, structuredClone(one))).toEqual([]);
        const same = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
        expect(diffValues(one, other).length === 0).toBe(same);
      }),
    );
  });
});

function sorted(value: unknown): unknown {
  if (!isMap(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return { map: entries.map(([key, below]) => [key, sorted(below)]) };
}
