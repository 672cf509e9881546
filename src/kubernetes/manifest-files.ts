import { existsSync } from "node:fs";
import { glob, readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { ActionError, messageOf } from "../base/errors.ts";
import { textOf } from "../base/utf8.ts";
import type { Manifest } from "./api.ts";
import { type FileManifest, readDocuments } from "./manifest-documents.ts";

/** Other manifests may need objects of these kinds. */
const FIRST = ["CustomResourceDefinition", "Namespace"];

/**
 * Reads the objects of the input `manifests`. Returns definitions and namespaces first, then the rest in the
 * given order.
 *
 * @param patterns files and globs, relative to `workspace`
 * @param namespace for objects that name none
 * @throws ActionError with all mistakes together, each naming the pattern, or the file and line
 */
export async function readManifests(
  patterns: readonly string[],
  workspace: string,
  namespace: string,
): Promise<FileManifest[]> {
  const matches = await Promise.all(patterns.map((pattern) => filesOf(pattern, workspace)));
  const files = [...new Set(matches.flatMap(({ files }) => files))];
  const contents = await Promise.all(files.map((file) => contentOf(file, workspace, namespace)));
  const manifests = contents.flatMap((content) => content.manifests);
  refuse([...matches, ...contents].flatMap(({ mistakes }) => mistakes));
  refuse(duplicatesIn(manifests));
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
  refuse(
    mistakes,
    "take it out of manifests (backend_config and frontend_config change what this action makes), or set ingress_name, backend_config_name or tls_secret to another name.",
  );
}

/** Returns the files that match a pattern, in alphabetical order. */
async function filesOf(pattern: string, workspace: string): Promise<{ files: string[]; mistakes: string[] }> {
  const matches: string[] = [];
  for await (const match of glob(pattern, { cwd: workspace })) matches.push(match);
  // A file's name may look like a pattern: [prod].yaml.
  if (matches.length === 0 && existsSync(resolve(workspace, pattern))) matches.push(pattern);
  const found = await Promise.all(
    matches.sort().map(async (path) => {
      try {
        return { path, isFile: (await stat(resolve(workspace, path))).isFile() };
      } catch (error) {
        return { path, isFile: false, mistake: `${path} can't be read: ${messageOf(error)}` };
      }
    }),
  );
  const files = found.flatMap(({ path, isFile }) => (isFile ? [path] : []));
  const mistakes = found.flatMap(({ mistake }) => mistake ?? []);
  if (files.length > 0 || mistakes.length > 0) return { files, mistakes };
  const folder = matches.length > 0 ? `, only a folder (for its files: ${matches[0]}/*.yaml)` : "";
  return { files, mistakes: [`${pattern} matches no file in ${workspace}${folder}`] };
}

async function contentOf(
  file: string,
  workspace: string,
  namespace: string,
): Promise<{ manifests: FileManifest[]; mistakes: string[] }> {
  try {
    return readDocuments(textOf(await readFile(resolve(workspace, file))), file, namespace);
  } catch (error) {
    return { manifests: [], mistakes: [`${file} can't be read: ${messageOf(error)}`] };
  }
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

function refuse(mistakes: readonly string[], fix?: string): void {
  if (mistakes.length === 0) return;
  const what = `The manifests are not usable; nothing was changed.\n- ${mistakes.join("\n- ")}`;
  throw new ActionError(what, fix === undefined ? {} : { fix });
}
