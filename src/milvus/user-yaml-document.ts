import {
  type Document,
  isAlias,
  isScalar,
  isMap as isYamlMapNode,
  LineCounter,
  parseDocument,
  visit,
} from "yaml";
import { ActionError } from "../base/errors.ts";
import { HTTP_ENABLED, normalizedSetting } from "./setting-names.ts";

/** Parses a text, without types: `0755` would be written back as 755 otherwise, which Milvus reads as another number. */
export function parse(text: string): Document {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "failsafe", lineCounter: lines });
  const [problem] = document.errors;
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw unusable(
      problem.code,
      `line ${line}, column ${col}`,
      problem.message.split(/ at line |(?<=\w): | !/)[0] ?? "",
    );
  }
  if (document.contents !== null && !isYamlMapNode(document.contents)) {
    if (!isNull(document.contents)) throw invalid("is not a map");
    document.contents = null;
  }
  visit(document, {
    Alias: (_, alias) => {
      if (!alias.resolve(document)) throw invalid("uses an alias that it doesn't define");
    },
    // A key without a value (`{a}`) has no node, which can't be written back without types.
    Pair: (_, pair) => {
      pair.value ??= document.createNode("");
    },
  });
  return document;
}

/**
 * Returns where a document has a setting, which is where it belongs when it has none.
 *
 * @throws ActionError when it has several: Milvus takes any of them, another one at each start
 */
export function placeOf(document: Document, setting: readonly string[]): readonly string[] {
  const [place = setting, ...others] = placesOf(document, setting);
  if (others.length === 0) return place;
  const places = [place, ...others].map((path) => path.map((key) => JSON.stringify(key)).join(": "));
  throw new ActionError(
    `The release's extraConfigFiles."user.yaml" sets ${setting.join(".")} more than once: ${places.join(", ")}.`,
    {
      why: "to Milvus these are the same setting, and at each start it takes one of them, whichever comes first.",
      fix: `keep one of them in user.yaml, as ${setting.join(": ")}.`,
    },
  );
}

/** Finds a setting in whatever spelling. */
export function placesOf(document: Document, setting: readonly string[]): string[][] {
  const wanted = normalizedSetting(setting);
  const places: string[][] = [];
  const look = (node: unknown, path: string[]) => {
    if (isYamlMapNode(node)) {
      for (const { key, value } of node.items) if (isScalar(key)) look(value, [...path, String(key.value)]);
    } else if (normalizedSetting(path) === wanted) places.push(path);
  };
  look(document.contents, []);
  return places;
}

/** Returns a setting's scalar as it is written, empty when there is none. */
export function scalarAt(document: Document, setting: readonly string[]): string {
  const node = nodeAt(document, setting);
  return isScalar(node) && !isNull(node) ? String(node.value) : "";
}

function nodeAt(document: Document, setting: readonly string[]): unknown {
  const [place = setting] = placesOf(document, setting);
  const node = document.getIn(place, true);
  return isAlias(node) ? node.resolve(document) : node;
}

/** Milvus reads YAML 1.1, and then what Go's strconv.ParseBool takes for true. */
export function isHttpEnabled(document: Document): boolean {
  const node = nodeAt(document, HTTP_ENABLED);
  if (!isScalar(node)) return true;
  const text = String(node.value);
  return node.type === "PLAIN" ? /^(y|yes|on|true|t|1)$/i.test(text) : /^(1|t|T|true|True|TRUE)$/.test(text);
}

/** Tells null, in whichever way it is written, from a text of the same letters. */
export function isNull(node: unknown): boolean {
  return isScalar(node) && node.type === "PLAIN" && /^(~|null|Null|NULL|)$/.test(String(node.value));
}

/** Milvus is less strict than this: what it reads all the same is still not what its author means. */
function unusable(code: string, place: string, problem: string): ActionError {
  const ambiguity = {
    DUPLICATE_KEY: "a key is there twice, of which Milvus takes the last",
    MULTIPLE_DOCS: "another document begins, and Milvus takes one only",
  }[code];
  if (!ambiguity) return invalid(`is not valid YAML at ${place}: ${problem}`);
  return new ActionError(`The release's extraConfigFiles."user.yaml" is ambiguous at ${place}.`, {
    why: `${ambiguity}.`,
    fix: "merge them with the input values, so that each setting is there once.",
  });
}

export function invalid(problem: string): ActionError {
  return new ActionError(`The release's extraConfigFiles."user.yaml" ${problem}.`, {
    fix: "correct it with the input values, as Milvus itself can't read it either.",
  });
}
