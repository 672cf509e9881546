import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { dump, load } from "js-yaml";
import { ActionError, messageOf } from "../errors.ts";
import type { Cluster } from "./cluster.ts";
import { fields } from "./google-api.ts";

export interface Kubeconfig {
  /** Absolute path. */
  path: string;
  context: string;
}

/**
 * Makes a new directory that only this user can enter (mode 0700), under RUNNER_TEMP: outside the workspace,
 * which later steps upload or bake into images.
 *
 * @returns its absolute path; {@link removeCredentials} removes it
 */
export async function privateDirectory(environment: NodeJS.ProcessEnv): Promise<string> {
  return await mkdtemp(join(resolve(environment.RUNNER_TEMP || tmpdir()), "milvus-gke-"));
}

/**
 * Writes a kubeconfig for a cluster (mode 0600).
 *
 * @param directory where it is put, from {@link privateDirectory}
 * @param tokenFile absolute path of the file that holds the access token
 */
export async function writeKubeconfig(
  cluster: Pick<Cluster, "projectId" | "location" | "name" | "server" | "caCertificate">,
  directory: string,
  tokenFile: string,
): Promise<Kubeconfig> {
  // The name that gcloud gives it, so that messages look familiar.
  const context = `gke_${cluster.projectId}_${cluster.location}_${cluster.name}`;
  const path = await write(
    directory,
    dump({
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: context,
          cluster: {
            server: cluster.server,
            ...(cluster.caCertificate && { "certificate-authority-data": cluster.caCertificate }),
          },
        },
      ],
      users: [{ name: context, user: { tokenFile } }],
      contexts: [{ name: context, context: { cluster: context, user: context } }],
      "current-context": context,
    }),
  );
  return { path, context };
}

/**
 * Returns the kubeconfig that the user gave: a path is used as it is, several lines are the kubeconfig itself and
 * are written to a private directory.
 *
 * @param value of the input `kubeconfig`; undefined: KUBECONFIG, else ~/.kube/config
 * @param context of the input `context`; by default the kubeconfig's current one
 * @param directory from {@link privateDirectory}
 * @throws ActionError when it can't be read or has no such context
 */
export async function givenKubeconfig(
  value: string | undefined,
  context: string | undefined,
  directory: string,
  environment: NodeJS.ProcessEnv,
): Promise<Kubeconfig> {
  if (value?.trim().includes("\n")) {
    const chosen = chooseContext(value, context, "the input kubeconfig");
    return { path: await write(directory, value), context: chosen };
  }
  const path = resolve(value?.trim() || environment.KUBECONFIG || join(homedir(), ".kube", "config"));
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (error) {
    throw new ActionError(`The kubeconfig ${path} can't be read.`, {
      why: messageOf(error),
      fix: "set the input kubeconfig to the path of a kubeconfig, or to its content.",
      cause: error,
    });
  }
  return { path, context: chooseContext(content, context, path) };
}

/** Removes a {@link privateDirectory} with the kubeconfig and token in it. A directory that is gone already is no error. */
export async function removeCredentials(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

function chooseContext(content: string, wanted: string | undefined, where: string): string {
  let parsed: unknown;
  try {
    parsed = load(content);
  } catch (error) {
    // The parser's message shows the text around the mistake, which may be a credential.
    const { line } = fields(fields(error).mark);
    throw new ActionError(`The kubeconfig (${where}) is not YAML.`, {
      ...(typeof line === "number" && { why: `it stops making sense in line ${line + 1}.` }),
      fix: "give a whole kubeconfig; the text of a secret must keep its indentation.",
    });
  }
  const { contexts, "current-context": current } = fields(parsed);
  const names = Array.isArray(contexts) ? contexts.map((entry: unknown) => fields(entry).name) : [];
  const context = wanted || current;
  if (typeof context === "string" && names.includes(context)) return context;
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

async function write(directory: string, content: string): Promise<string> {
  const path = join(directory, "kubeconfig");
  await writeFile(path, content, { mode: 0o600 });
  return path;
}
