import * as v from "valibot";
import type { FileMistake } from "../base/mistakes.ts";
import { parseYamlMap, YamlError } from "../base/yaml.ts";
import type { Manifest } from "./api.ts";

/** A user's manifest, which is applied together with this action's own. */
export interface FileManifest {
  manifest: Manifest;
  /** Where it comes from, for messages, e.g. `k8s/policy.yaml, document 2, line 12`. */
  origin: string;
}

const Text = v.pipe(v.string(), v.nonEmpty());
const Texts = v.record(v.string(), v.string());

const ObjectManifest = v.looseObject({
  apiVersion: Text,
  kind: Text,
  metadata: v.looseObject({
    name: Text,
    generateName: v.exactOptional(v.never()),
    namespace: v.exactOptional(Text),
    annotations: v.exactOptional(Texts),
    labels: v.exactOptional(Texts),
  }),
});

/**
 * Checked here, as the API server quotes what it refuses: a numeric password without quotes would reach the
 * log.
 */
const SecretData = v.looseObject({
  data: v.nullish(v.record(v.string(), v.nullable(v.string()))),
  stringData: v.nullish(v.record(v.string(), v.nullable(v.string()))),
});

const List = v.looseObject({ kind: v.pipe(v.string(), v.endsWith("List")), items: v.array(v.unknown()) });

/** A document of a YAML stream. */
interface Document {
  /**
   * Starts with as many line ends as there are lines before it, so that messages have the file's line
   * numbers.
   */
  text: string;
  /** The number, from 1, of the first line that isn't blank or a comment. */
  line: number;
}

/**
 * Returns the objects in a file of YAML or JSON documents, and what is wrong with the others. Takes lists
 * apart and skips empty documents.
 *
 * @param file its path, for messages
 * @param namespace for objects that name none
 */
export function readDocuments(
  text: string,
  file: string,
  namespace: string,
): { manifests: FileManifest[]; mistakes: FileMistake[] } {
  const manifests: FileManifest[] = [];
  const mistakes: FileMistake[] = [];
  const read = (value: unknown, origin: string, line: number) => {
    const refuse = (problem: string) => mistakes.push({ message: `${origin}: ${problem}`, path: file, line });
    const list = v.safeParse(List, value);
    if (list.success) {
      for (const [index, item] of list.output.items.entries()) {
        read(item, `${origin}, item ${index + 1}`, line);
      }
      return;
    }
    const { success, output, issues } = v.safeParse(ObjectManifest, value);
    const secrets = success && isSecret(output) ? v.safeParse(SecretData, value).issues : undefined;
    const inexact = inexactIn(value);
    if (!success) {
      refuse(issues.map(describe).join(", "));
    } else if (secrets) {
      refuse(secrets.map((issue) => `${v.getDotPath(issue)} must be ${expectedIn(issue)}`).join(", "));
    } else if (inexact.length > 0) {
      refuse(
        `${inexact.join(", ")} would be rounded: an integer beyond ${Number.MAX_SAFE_INTEGER} needs quotes, or another tool to apply it`,
      );
    } else {
      const metadata = { ...output.metadata, namespace: output.metadata.namespace ?? namespace };
      manifests.push({ manifest: { ...output, metadata }, origin });
    }
  };
  for (const [index, document] of documentsOf(text).entries()) {
    try {
      const value = parseYamlMap(document.text, file);
      const origin = `${file}, document ${index + 1}, line ${document.line}`;
      if (Object.keys(value).length > 0) read(value, origin, document.line);
    } catch (error) {
      if (!(error instanceof YamlError)) throw error;
      mistakes.push({
        message: error.message.replace(/\.$/, ""),
        path: file,
        line: Math.max(error.line, document.line),
      });
    }
  }
  return { manifests, mistakes };
}

/** Splits a YAML stream. In the first column, `---` and `...` can only be document markers. */
function documentsOf(text: string): Document[] {
  const lines = text.split("\n");
  const starts = [0];
  let begun = false;
  for (const [index, line] of lines.entries()) {
    const marker = /^(---|\.\.\.)(?=\s|$)/.exec(line)?.[1];
    // Directives and comments before the first `---` belong to the document after it.
    if (marker === "---" && begun) starts.push(index);
    if (marker === "..." && begun) starts.push(index + 1);
    begun = marker === "---" || (marker === undefined && (begun || !/^(\s*#|%|\s*$)/.test(line)));
  }
  return starts.map((start, index) => {
    const own = lines.slice(start, starts[index + 1]);
    const first = own.findIndex((line) => !/^(---)?\s*(#|$)|^%/.test(line));
    return { text: `${"\n".repeat(start)}${own.join("\n")}`, line: start + Math.max(first, 0) + 1 };
  });
}

/** Returns the paths of the integers that JavaScript can't hold exactly. */
function inexactIn(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value === "number") {
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? [path.join(".")] : [];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => inexactIn(child, [...path, key]));
}

function isSecret({ apiVersion, kind }: Pick<Manifest, "apiVersion" | "kind">): boolean {
  return apiVersion === "v1" && kind === "Secret";
}

/** Never quotes the value, as it may be a secret. */
function expectedIn({ path }: v.BaseIssue<unknown>): string {
  return path && path.length > 1 ? "a string (a number or truth value needs quotes)" : "a map";
}

function describe(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  const subject = path ?? "it";
  if (issue.received === "undefined") return `${subject} is missing`;
  if (issue.type === "non_empty") return `${subject} is empty`;
  if (issue.expected === "never") return `${subject} would create another object in every run`;
  const expected = issue.expected === "string" ? "a string" : "a map";
  const received = typeof issue.input === "object" ? "a map or list" : issue.received;
  return `${subject} must be ${expected}, but is ${issue.input === null ? "null" : received}`;
}
