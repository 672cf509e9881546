import { describe, expect, test } from "vitest";
import { parseYamlMap } from "../../src/base/yaml.ts";

describe("parseYamlMap reads a scalar as Helm does", () => {
  // Each was put through `helm template` with a chart that prints `.Values.a | toJson`.
  test.each([
    ["yes", true],
    ["on", true],
    ["y", true],
    ["Off", false],
    ["n", false],
    ["tRue", "tRue"],
    ["0777", 511],
    ["-0777", -511],
    ["0o17", 15],
    ["0x1F", 31],
    ["-0b11", -3],
    ["0b2", "0b2"],
    ["089", 89],
    ["1_000", 1000],
    ["_1", "_1"],
    ["+5", 5],
    ["1e3", 1000],
    ["6.02e23", 6.02e23],
    ["1e1000", "1e1000"],
    [".5", 0.5],
    ["1.", 1],
    [".", "."],
    ["12:30", "12:30"],
    ["1:30:45", "1:30:45"],
    ["2001-01-01", "2001-01-01"],
    ["5.0.19", "5.0.19"],
    ["~", null],
    ["", null],
    ['"5"', "5"],
  ])("%s", (text, value) => {
    expect(parseYamlMap(`a: ${text}`, "values")).toEqual({ a: value });
  });
});

test.each([
  ["nothing", ""],
  ["blanks", " \n\n"],
  ["only comments", "# service:\n#   type: ClusterIP\n"],
  ["an empty document", "---\n...\n"],
  ["null", "~"],
])("parseYamlMap returns an empty map for %s", (_, text) => {
  expect(parseYamlMap(text, "values")).toEqual({});
});

test.each([
  ["merge keys", "a: &x {b: 1}\nc:\n  <<: *x\n", { a: { b: 1 }, c: { b: 1 } }],
  // Each of these was put through `helm template`, too.
  ["a merge key before a key", "a: {<<: {b: 1}, b: 2}", { a: { b: 2 } }],
  ["a merge key after a key", "a: {b: 2, <<: {b: 1}}", { a: { b: 1 } }],
  ["a merge key with null after a key", "a: {b: 2, <<: {b: null}}", { a: { b: null } }],
  ["a key, a merge key and another key", "a: {b: 1, <<: {b: 2}, c: 3}", { a: { b: 2, c: 3 } }],
  ["several merge keys", "a: {b: 2, <<: {b: 1}, <<: {b: 9}}", { a: { b: 9 } }],
  ["a merge key with a list", "a: {b: 0, <<: [{b: 1}, {b: 3, c: 3}]}", { a: { b: 1, c: 3 } }],
  [
    "a merge key in a merge key",
    "a: &x {b: 1, c: 1}\nd: {<<: {<<: *x, b: 5}}",
    { a: { b: 1, c: 1 }, d: { b: 5, c: 1 } },
  ],
  ["a merge key with a map in a map", "a: {b: {p: 1}, <<: {b: {q: 2}}}", { a: { b: { q: 2 } } }],
  ["<< as a value", "a: <<", { a: "<<" }],
  ["a byte order mark", "\ufeffa: 1", { a: 1 }],
  ["CRLF", "a:\r\n  b: |\r\n    x\r\n    y\r\n", { a: { b: "x\ny\n" } }],
  ["unicode", "ключ: 值 🐟", { ключ: "值 🐟" }],
])("%s", (_, text, value) => {
  expect(parseYamlMap(text, "values")).toEqual(value);
});

test.each([
  ["a: b: c", "values is not valid YAML at line 1, column 5: "],
  ["a: 1\nb: [1,\n", "values is not valid YAML at line 3, column 1: "],
  ["a:\n\tb: 1", "values is not valid YAML at line 2, column 1: "],
  [
    "a: 1\nb: {{ .Values.b }}\n",
    "values is not valid YAML at line 2: it has a template ({{ ... }}). Fill it in before, or put it in quotes.",
  ],
  ["? [a]\n: 1", "values is not valid YAML: a map or a list is a key in it. "],
  ["a: 1\na: 2", "values is not valid YAML at line 2, column 1: duplicated mapping key"],
  ["a: {<<: {b: 1}, c: 1, c: 2}", "values is not valid YAML at line 1, column 23: duplicated mapping key"],
  ["a: {<<: 5}", "values is not valid YAML at line 1, column 5: << takes a map or a list of maps."],
  ["a: {<<: [{b: 1}, 5]}", "values is not valid YAML at line 1, column 5: << takes a map or a list of maps."],
  ["a: *b", "values is not valid YAML at line 1, column 5: unidentified alias."],
  ["a: 1\n---\nb: 2", "values must be one YAML document, but holds 2: Helm reads the first one only."],
  ["- a", "values must be a YAML map, but holds a list."],
  ["service.type=ClusterIP", "values must be a YAML map, but holds a string."],
  ["5", "values must be a YAML map, but holds a number."],
])("refuses %j", (text, message) => {
  expect(() => parseYamlMap(text, "values")).toThrow(message);
});

test.each([
  "*S3cret",
  "!S3cret",
  "!S3c!ret",
  "!S3cret {b: 1}",
  "!<S3cret> b",
  "!S3%cret^ b",
  "!!S3cret b",
  "&S3cret&S3cret *b",
  "@S3cret",
  '"S3cret\\q"',
  "|S3cret",
])("an error does not quote a password that is not valid YAML, as in `a: %s`", (text) => {
  const error = (() => {
    try {
      return parseYamlMap(`a: ${text}`, "values");
    } catch (thrown) {
      return String(thrown);
    }
  })();
  expect(error).toMatch(/values is not valid YAML at line 1, column \d+: [a-z, -]+\.$/);
});

/** Seven maps of nine members each, all of which stand for the map before. */
const BOMB = Array.from({ length: 7 }, (_, level) => {
  const members = [..."abcdefghi"].map((key) => `${key}: ${level === 0 ? "x" : `*m${level - 1}`}`);
  return `m${level}: &m${level} {${members.join(", ")}}`;
}).join("\n");

test.each([
  ["aliases that stand for millions of values", BOMB],
  ["an alias inside what it stands for", "a: &a\n  b: *a\n"],
])("refuses %s", (_, text) => {
  const message = "values holds more than a million values, counting those of aliases.";
  expect(() => parseYamlMap(text, "values")).toThrow(message);
});
