import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { dump, load, YAMLException } from "js-yaml";
import * as v from "valibot";
import { ActionError, messageOf } from "../base/errors.ts";
import { isMissingFile, readTextFile } from "../base/file.ts";
import { hasRoomForSocket } from "../kubernetes/proxy.ts";
import type { Cluster } from "./cluster.ts";
import { credentialsEnd, KubeconfigFile } from "./kubeconfig-expiry.ts";

/** A kubeconfig, and the context in it that this run uses. */
export interface Kubeconfig {
  /** Absolute path, or several as in KUBECONFIG. */
  path: string;
  context: string;
  /**
   * When its credentials end, in milliseconds since the epoch; undefined if they are renewed or don't say.
   */
  end?: number | undefined;
}

/**
 * Makes a new directory that only this user can enter (mode 0700). It is under RUNNER_TEMP, because later
 * steps may upload the workspace or copy it into images. If that path is too long for kubectl's socket, it is
 * under the system's temporary directory.
 *
 * @returns its absolute path; {@link removeCredentials} removes it
 */
export async function privateDirectory(environment: NodeJS.ProcessEnv): Promise<string> {
  const below = (folder: string) => join(folder, "milvus-gke-");
  const temporary = resolve(environment.RUNNER_TEMP || tmpdir());
  // mkdtemp appends six characters.
  return await mkdtemp(below(hasRoomForSocket(`${below(temporary)}XXXXXX`) ? temporary : tmpdir()));
}

/**
 * Writes a kubeconfig for a cluster (mode 0600).
 *
 * @param directory from {@link privateDirectory}
 * @param tokenFile absolute path of the file that holds the access token
 */
export async function writeKubeconfig(
  cluster: Pick<Cluster, "projectId" | "location" | "name" | "server" | "caCertificate">,
  directory: string,
  tokenFile: string,
): Promise<Kubeconfig> {
  // The same name as gcloud uses, so that messages look familiar.
  const context = `gke_${cluster.projectId}_${cluster.location}_${cluster.name}`;
  const { server, caCertificate } = cluster;
  const authority = caCertificate && { "certificate-authority-data": caCertificate };
  return await writeContext(directory, context, { server, ...authority }, tokenFile);
}

/**
 * Writes a kubeconfig with one context (mode 0600).
 *
 * @param directory from {@link privateDirectory}
 * @param cluster as in a kubeconfig
 */
export async function writeContext(
  directory: string,
  context: string,
  cluster: Record<string, string>,
  tokenFile: string,
): Promise<Kubeconfig> {
  const content = dump({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: context, cluster }],
    users: [{ name: context, user: { tokenFile } }],
    contexts: [{ name: context, context: { cluster: context, user: context } }],
    "current-context": context,
  });
  return { path: await write(directory, content), context };
}

/**
 * Returns the kubeconfig that the input `kubeconfig` contains, undefined if the input is a path. It may be
 * YAML or JSON on one or several lines, or in base64, as secrets are often stored.
 */
export function contentIn(value: string): string | undefined {
  const text = value.trim();
  const packed = text.replace(/\s+/g, "");
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) {
    const decoded = Buffer.from(packed, "base64").toString();
    if (/["']?\b(contexts|clusters)\b["']?:/.test(decoded)) return decoded;
  }
  return text.includes("\n") || text.startsWith("{") ? value : undefined;
}

/** Matches a path, but no credential or one-line kubeconfig. Only a match may appear in the log. */
const PLAUSIBLE_PATH = /^(?!.*(?::\/\/|:\s|[{}"\p{Cc}])).{1,255}$/u;

/**
 * Returns the user's kubeconfig. A path is used as it is. Content is written to the private directory.
 *
 * @param value the input `kubeconfig`; undefined: the files of KUBECONFIG, else ~/.kube/config
 * @param context the input `context`; by default the kubeconfig's current context
 * @param directory from {@link privateDirectory}
 * @throws ActionError if it can't be read, or lacks the context
 */
export async function givenKubeconfig(
  value: string | undefined,
  context: string | undefined,
  directory: string,
  environment: NodeJS.ProcessEnv,
): Promise<Kubeconfig> {
  const content = value && contentIn(value);
  if (content) {
    const chosen = chooseContext([content], context, "the input kubeconfig");
    return { path: await write(directory, content), ...chosen };
  }
  const named = value ? [value.trim()] : (environment.KUBECONFIG ?? "").split(delimiter).filter(Boolean);
  const paths = named.length > 0 ? named.map((path) => resolve(path)) : [join(homedir(), ".kube", "config")];
  const contents: string[] = [];
  for (const path of paths) {
    try {
      contents.push(readTextFile(path));
    } catch (error) {
      // Of several files, kubectl and Helm skip missing ones.
      if (paths.length > 1 && isMissingFile(error)) continue;
      throw unreadable(value, path, error);
    }
  }
  const path = paths.join(delimiter);
  return { path, ...chooseContext(contents, context, path) };
}

function unreadable(value: string | undefined, path: string, error: unknown): ActionError {
  const fix = "set the input kubeconfig to the path of a kubeconfig, or to its content.";
  if (value && !PLAUSIBLE_PATH.test(value.trim())) {
    return new ActionError("The input kubeconfig is neither a kubeconfig nor the path of one.", {
      why: "it has one line, doesn't begin with a brace, and is not a kubeconfig in base64. It is not shown, as it may be a credential.",
      fix: `${fix} A kubeconfig must keep its lines and indentation.`,
    });
  }
  return new ActionError(`The kubeconfig ${path} can't be read.`, {
    why: messageOf(error),
    fix,
    cause: error,
  });
}

/** Removes a {@link privateDirectory} with the kubeconfig and the token. A missing directory is no error. */
export async function removeCredentials(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

/**
 * @param contents contents of the kubeconfig's files; the first one that sets a field wins, as with kubectl
 */
function chooseContext(
  contents: readonly string[],
  wanted: string | undefined,
  where: string,
): Pick<Kubeconfig, "context" | "end"> {
  const configs = contents.map((content) => v.parse(KubeconfigFile, parse(content, where)));
  const names = configs.flatMap(({ contexts }) => contexts.map(({ name }) => name));
  const context = wanted || configs.map((config) => config["current-context"]).find(Boolean);
  if (context && names.includes(context)) {
    return { context, end: credentialsEnd(configs, context) };
  }
  throw new ActionError(
    context
      ? `The kubeconfig (${where}) has no context "${context}".`
      : `The kubeconfig (${where}) has no current context.`,
    {
      why: names.length > 0 ? `its contexts are: ${names.join(", ")}.` : "it has no contexts at all.",
      fix: "set the input context to one of its contexts.",
    },
  );
}

function parse(content: string, where: string): unknown {
  try {
    return load(content);
  } catch (error) {
    // The parser's message quotes the text around the mistake, which may be a credential.
    const line = error instanceof YAMLException ? error.mark?.line : undefined;
    throw new ActionError(`The kubeconfig (${where}) is not YAML.`, {
      ...(line !== undefined && { why: `line ${line + 1} can't be parsed.` }),
      fix: "give a whole kubeconfig. The text of a secret must keep its indentation.",
    });
  }
}

async function write(directory: string, content: string): Promise<string> {
  const path = join(directory, "kubeconfig");
  await writeFile(path, content, { mode: 0o600 });
  return path;
}
