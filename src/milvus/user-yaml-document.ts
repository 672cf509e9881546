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

/**
 * Parses a text without types. With types, `0755` would be written back as 755, which Milvus reads as another
 * number.
 *
 * @throws ActionError with line and column if it is not valid YAML
 */
export function parseUserYaml(text: string): Document {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "failsafe", lineCounter: lines, logLevel: "error" });
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
    if (!isNull(document.contents)) throw invalidUserYaml("is not a map");
    document.contents = null;
  }
  visit(document, {
    Alias: (_, alias) => {
      if (!alias.resolve(document)) throw invalidUserYaml("uses an alias that it doesn't define");
    },
    // A key without a value (`{a}`) has no node and can't be written back without types.
    Pair: (_, pair) => {
      pair.value ??= document.createNode("");
    },
  });
  return document;
}

/**
 * Returns the path at which a document has a setting, or the setting's own path if it has none.
 *
 * @throws ActionError if the setting is there more than once: Milvus uses a random one of them at each start
 */
export function pathOf(document: Document, setting: readonly string[]): readonly string[] {
  const [path = setting, ...others] = pathsOf(document, setting);
  if (others.length === 0) return path;
  const paths = [path, ...others].map((keys) => keys.map((key) => JSON.stringify(key)).join(": "));
  throw new ActionError(
    `The release's extraConfigFiles."user.yaml" sets ${setting.join(".")} more than once: ${paths.join(", ")}.`,
    {
      why: "to Milvus these are the same setting, and at each start it uses a random one of them.",
      fix: `keep one of them in user.yaml, as ${setting.join(": ")}.`,
    },
  );
}

/** Returns all paths of a setting, in any spelling. */
export function pathsOf(document: Document, setting: readonly string[]): string[][] {
  const wanted = normalizedSetting(setting);
  const paths: string[][] = [];
  const look = (node: unknown, path: string[]) => {
    if (isYamlMapNode(node)) {
      for (const { key, value } of node.items) if (isScalar(key)) look(value, [...path, String(key.value)]);
    } else if (normalizedSetting(path) === wanted) paths.push(path);
  };
  look(document.contents, []);
  return paths;
}

/** Returns a setting's scalar as it is written, empty if there is none. */
export function scalarAt(document: Document, setting: readonly string[]): string {
  const node = nodeAt(document, setting);
  return isScalar(node) && !isNull(node) ? String(node.value) : "";
}

function nodeAt(document: Document, setting: readonly string[]): unknown {
  const [path = setting] = pathsOf(document, setting);
  const node = document.getIn(path, true);
  return isAlias(node) ? node.resolve(document) : node;
}

/** Tells whether Milvus serves its REST API, which it does by default. */
export function isHttpEnabled(document: Document): boolean {
  return !isScalar(nodeAt(document, HTTP_ENABLED)) || isTrueAt(document, HTTP_ENABLED);
}

/** Milvus reads plain scalars as YAML 1.1, and quoted ones with Go's strconv.ParseBool. */
export function isTrueAt(document: Document, setting: readonly string[]): boolean {
  const node = nodeAt(document, setting);
  if (!isScalar(node)) return false;
  const text = String(node.value);
  return node.type === "PLAIN" ? /^(y|yes|on|true|t|1)$/i.test(text) : isTrueText(text);
}

/** Reads a text as Go's strconv.ParseBool does. */
export function isTrueText(text: string): boolean {
  return /^(1|t|T|true|True|TRUE)$/.test(text);
}

/** Tells whether a node is null in any spelling, not a quoted text of the same letters. */
export function isNull(node: unknown): boolean {
  return isScalar(node) && node.type === "PLAIN" && /^(~|null|Null|NULL|)$/.test(String(node.value));
}

/** Milvus accepts some of these texts, but reads them differently from what their author means. */
function unusable(code: string, place: string, problem: string): ActionError {
  const ambiguity = {
    DUPLICATE_KEY: "a key is there twice, and Milvus uses the last one",
    MULTIPLE_DOCS: "another document begins, and Milvus reads only one",
  }[code];
  if (!ambiguity) return invalidUserYaml(`is not valid YAML at ${place}: ${problem}`);
  return new ActionError(`The release's extraConfigFiles."user.yaml" is ambiguous at ${place}.`, {
    why: `${ambiguity}.`,
    fix: "merge them with the input values, so that each setting is there once.",
  });
}

/** Returns the error for a `user.yaml` with a problem, given as the end of a sentence. */
export function invalidUserYaml(problem: string): ActionError {
  return new ActionError(`The release's extraConfigFiles."user.yaml" ${problem}.`, {
    fix: "correct it with the input values. Milvus itself can't read it either.",
  });
}
