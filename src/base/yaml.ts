import {
  boolYaml11Tag,
  CORE_SCHEMA,
  floatCoreTag,
  intCoreTag,
  loadAll,
  mapTag,
  NOT_RESOLVED,
  YAMLException,
} from "js-yaml";
import { ActionError } from "./errors.ts";

/** A text that isn't the YAML that it should be. */
export class YamlError extends ActionError {
  /** The line, from 1. */
  readonly line: number;

  constructor(what: string, line: number) {
    super(what);
    this.line = line;
  }
}

export type YamlMap = { [key: string]: unknown };

const GO_INTEGER = /^([-+]?)(0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+|\d+)$/;
const GO_FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/;

/** Far more than any release has. Aliases can stand for more values than fit into memory. */
const MAX_VALUES = 1_000_000;

/**
 * Parses a number as Go does (strconv.ParseInt with base 0, ParseFloat): `0777` is octal, `12:30` is not a
 * number.
 */
function goNumber(source: string): number | typeof NOT_RESOLVED {
  const plain = /^[-+\d]/.test(source) ? source.replaceAll("_", "") : source;
  const [, sign, digits] = GO_INTEGER.exec(plain) ?? [];
  if (digits !== undefined) {
    const number = Number(/^0[0-7]+$/.test(digits) ? `0o${digits}` : digits);
    // Go has no negative zero among its integers.
    return sign === "-" ? 0 - number : number;
  }
  const number = GO_FLOAT.test(plain) ? Number(plain) : Number.NaN;
  return Number.isFinite(number) ? number : NOT_RESOLVED;
}

/** The keys that stand in each map itself, beside those that `<<` has brought in. */
const ownKeys = new WeakMap<YamlMap, Set<string>>();

/**
 * Adds a pair to a map, and what `<<` refers to, in the order of the text: a later one
 * wins (sigs.k8s.io/yaml, goyaml.v2, decode.go mapping and merge). By YAML's own rules the
 * map's own keys would always win.
 *
 * @returns what is wrong, else an empty text
 */
function addInOrder(map: YamlMap, key: unknown, value: unknown): string {
  if (key === "<<") return merge(map, value);
  const own = ownKeys.get(map) ?? new Set();
  ownKeys.set(map, own.add(String(key)));
  return mapTag.addPair(map, key, value);
}

function merge(map: YamlMap, value: unknown): string {
  // Of several maps, an earlier one wins.
  const sources: unknown[] = Array.isArray(value) ? value.toReversed() : [value];
  if (!sources.every(isMap)) return "<< takes a map or a list of maps";
  for (const source of sources) {
    for (const [key, merged] of Object.entries(source)) mapTag.addPair(map, key, merged);
  }
  return "";
}

/**
 * YAML as Helm reads it. sigs.k8s.io/yaml follows YAML 1.1 for booleans (`yes`, `on`) and Go for numbers, and
 * keeps timestamps as text.
 */
const HELM_SCHEMA = CORE_SCHEMA.withTags(
  { ...mapTag, addPair: addInOrder, has: (map: YamlMap, key) => ownKeys.get(map)?.has(String(key)) ?? false },
  boolYaml11Tag,
  { ...intCoreTag, resolve: goNumber },
  { ...floatCoreTag, resolve: goNumber },
);

/** Tells whether a value is a map: an object that is no list and not null. */
export function isMap(value: unknown): value is YamlMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the value if it is a map; else an empty one. */
export function asMap(value: unknown): YamlMap {
  return isMap(value) ? value : {};
}

/**
 * Parses one YAML document that holds a map, as Helm does. An empty document gives an empty map.
 *
 * @param origin an input's name or a file's path, for the error
 * @throws YamlError when the text doesn't parse (with line and column), isn't a map, or holds too many values
 */
export function parseYamlMap(text: string, origin: string): YamlMap {
  let documents: unknown[];
  try {
    documents = loadAll(text, { schema: HELM_SCHEMA });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const place = error.mark ? ` at line ${error.mark.line + 1}, column ${error.mark.column + 1}` : "";
    if (/complex keys/.test(error.reason)) throw mapAsKey(text, origin);
    // The parser may quote the text, and with it a password.
    const reason = error.reason.replace(/ ?(with |for )?("|!<|: ).*$/s, "");
    throw new YamlError(`${origin} is not valid YAML${place}: ${reason}.`, (error.mark?.line ?? 0) + 1);
  }
  // Helm reads the first document. One that is empty, as behind a trailing `---`, loses nothing by that.
  const [value, ...others] = documents;
  if (others.some((document) => document !== null && document !== undefined)) {
    throw new YamlError(
      `${origin} must be one YAML document, but holds ${documents.length}: Helm reads the first one only.`,
      1,
    );
  }
  if (value === null || value === undefined) return {};
  if (!isMap(value)) {
    const kind = Array.isArray(value) ? "a list" : `a ${typeof value}`;
    throw new YamlError(`${origin} must be a YAML map, but holds ${kind}.`, 1);
  }
  if (holdsTooMuch(value)) {
    throw new YamlError(`${origin} holds more than a million values, counting those of aliases.`, 1);
  }
  return value;
}

/** To YAML, the braces of a template are a map that is a key of another map. The parser doesn't say where. */
function mapAsKey(text: string, origin: string): YamlError {
  const line = text.split("\n").findIndex((each) => each.includes("{{")) + 1;
  const what =
    line > 0 ? ` at line ${line}: it has a template ({{ ... }})` : ": a map or a list is a key in it";
  return new YamlError(
    `${origin} is not valid YAML${what}. Fill it in before, or put it in quotes.`,
    Math.max(line, 1),
  );
}

/**
 * Tells whether a value holds more than a million values. An alias counts each time that it is used. An alias
 * inside itself would never end.
 */
export function holdsTooMuch(value: unknown): boolean {
  const open = [value];
  for (let count = 0; open.length > 0; count += 1) {
    if (count > MAX_VALUES) return true;
    const next = open.pop();
    if (typeof next === "object" && next !== null) for (const child of Object.values(next)) open.push(child);
  }
  return false;
}
