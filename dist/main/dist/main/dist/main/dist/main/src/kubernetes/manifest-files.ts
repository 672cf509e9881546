import { existsSync } from "node:fs";
import { glob, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf } from "../base/errors.ts";
import { readTextFile } from "../base/file.ts";
import { type Mistake, mistakesError } from "../base/mistakes.ts";
import type { Manifest } from "./api.ts";
import { type FileManifest, readDocuments } from "./manifest-documents.ts";

/** Other manifests may need objects of these kinds. */
const FIRST = ["CustomResourceDefinition", "Namespace"];

/** How many files and folders a glob may look at: some seconds' worth. */
const MAX_ENTRIES = 50_000;
/** How long a glob may be: the time to read one grows with its length. */
const MAX_PATTERN = 1000;
/** How many files it may match. */
const MAX_FILES = 1000;

/**
 * Reads the objects of the input `manifests`. Returns definitions and namespaces first, then the rest in the
 * given order.
 *
 * @param patterns files and globs, relative to `workspace`
 * @param namespace for objects that name none
 * @throws ActionError with all mistakes, each naming the pattern, or the file and line
 */
export async function readManifests(
  patterns: readonly string[],
  workspace: string,
  namespace: string,
): Promise<FileManifest[]> {
  const matches = await Promise.all(patterns.map((pattern) => filesOf(pattern, workspace)));
  const files = [...new Set(matches.flatMap(({ files }) => files))];
  const contents = files.map((file) => contentOf(file, workspace, namespace));
  const manifests = contents.flatMap((content) => content.manifests);
  refuse(
    [...matches, ...contents].flatMap(({ mistakes }) => mistakes),
    { workspace },
  );
  refuse(duplicatesIn(manifests), { workspace });
  const isFirst = ({ manifest }: FileManifest) => FIRST.includes(manifest.kind);
  return [...manifests.filter(isFirst), ...manifests.filter((manifest) => !isFirst(manifest))];
}

/**
 * Refuses manifests of objects that this action itself makes.
 *
 * @throws ActionError naming them and where they come from
 */
export function refuseOwnObjects(manifests: readonly FileManifest[], own: readonly Manifest[]): void {
  const taken = new Set(own.map(identityOf));
  const mistakes = manifests
    .filter(({ manifest }) => taken.has(identityOf(manifest)))
    .map(
      ({ manifest, origin }) => `${origin}: ${titleOf(manifest)} is an object that this action makes itself`,
    );
  refuse(mistakes, {
    fix: "take it out of manifests (backend_config and frontend_config change what this action makes), or set ingress_name, backend_config_name or tls_secret to another name.",
  });
}

/** Returns the files that match a pattern, in alphabetical order. */
async function filesOf(
  pattern: string,
  workspace: string,
): Promise<{ files: string[]; mistakes: Mistake[] }> {
  let matches: string[];
  try {
    matches = await matchesOf(pattern, workspace);
  } catch (error) {
    return { files: [], mistakes: [`${pattern} ${messageOf(error)}`] };
  }
  const found = await Promise.all(
    matches.map(async (path) => {
      try {
        return { path, isFolder: (await stat(resolve(workspace, path))).isDirectory() };
      } catch {
        // Reading it says why.
        return { path, isFolder: false };
      }
    }),
  );
  const files = found.flatMap(({ path, isFolder }) => (isFolder ? [] : [path]));
  if (files.length > 0) return { files, mistakes: [] };
  const folder = matches.length > 0 ? `, only a folder (for its files: ${matches[0]}/*.yaml)` : "";
  return { files, mistakes: [`${pattern} matches no file in ${workspace}${folder}`] };
}

/** @throws Error when the pattern looks through too much or matches too much */
async function matchesOf(pattern: string, workspace: string): Promise<string[]> {
  if (pattern.length > MAX_PATTERN) throw new Error(`has more than ${MAX_PATTERN} characters`);
  let entries = 0;
  const isExcluded = () => {
    entries += 1;
    if (entries > MAX_ENTRIES) {
      throw new Error(
        `looks through more than ${MAX_ENTRIES} files and folders: name the folder of the manifests in it`,
      );
    }
    return false;
  };
  const matches: string[] = [];
  for await (const match of glob(pattern, { cwd: workspace, exclude: isExcluded })) {
    matches.push(match);
    if (matches.length > MAX_FILES) throw new Error(`matches more than ${MAX_FILES} files`);
  }
  // A file's name may look like a pattern: [prod].yaml.
  if (matches.length === 0 && existsSync(resolve(workspace, pattern))) matches.push(pattern);
  return matches.sort();
}

function contentOf(
  file: string,
  workspace: string,
  namespace: string,
): { manifests: FileManifest[]; mistakes: Mistake[] } {
  let text: string;
  try {
    text = readTextFile(resolve(workspace, file));
  } catch (error) {
    return { manifests: [], mistakes: [`${file} can't be read: ${messageOf(error)}`] };
  }
  return readDocuments(text, file, namespace);
}

function duplicatesIn(manifests: readonly FileManifest[]): string[] {
  return [...Map.groupBy(manifests, ({ manifest }) => identityOf(manifest)).values()].flatMap(
    ([first, ...others]) =>
      others.map(({ manifest, origin }) => `${origin}: ${titleOf(manifest)} is also in ${first?.origin}`),
  );
}

/** Equal for two manifests of one object, even in different versions of its API. */
function identityOf({ apiVersion, kind, metadata }: Manifest): string {
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
  return [group, kind, metadata.namespace, metadata.name].join("/");
}

function titleOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}

function refuse(mistakes: readonly Mistake[], details: { workspace?: string; fix?: string }): void {
  if (mistakes.length > 0) {
    throw mistakesError("The manifests are not usable; nothing was changed.", mistakes, details);
  }
}
