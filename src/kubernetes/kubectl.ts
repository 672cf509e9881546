import * as v from "valibot";
import { ActionError } from "../errors.ts";
import { type Output, type Program, run } from "../process.ts";
import { KubernetesList, KubernetesObject } from "./objects.ts";

/** The owner of every field that this action applies (server-side apply's field manager). */
export const FIELD_MANAGER = "milvus-gke-load-balancer";

/** How long one request to the API server may take before it counts as unreachable. */
const REQUEST_TIMEOUT = "--request-timeout=30s";

/**
 * Returns the objects that `kubectl get ARGS -o json` finds; named objects that don't exist are left out.
 *
 * @throws ActionError when the cluster can't be reached or refuses
 */
export async function get(kubectl: Program, namespace: string, args: string[]): Promise<unknown[]> {
  const output = await run(kubectl, [
    "get",
    ...args,
    "-n",
    namespace,
    "-o",
    "json",
    "--ignore-not-found",
    REQUEST_TIMEOUT,
  ]);
  if (output.exitCode !== 0)
    throw explain(`kubectl could not read ${args[0]} in namespace ${namespace}.`, output);
  // With --ignore-not-found nothing at all is printed when nothing is found.
  if (output.stdout.trim() === "") return [];
  const parsed: unknown = JSON.parse(output.stdout);
  return v.is(KubernetesList, parsed) ? parsed.items : [parsed];
}

/**
 * Returns the answer of the API server to a GET of `path`.
 *
 * @throws ActionError when the cluster can't be reached or refuses
 */
export async function getRaw(kubectl: Program, path: string): Promise<unknown> {
  const output = await run(kubectl, ["get", "--raw", path, REQUEST_TIMEOUT]);
  if (output.exitCode !== 0) throw explain(`kubectl could not read ${path}.`, output);
  return JSON.parse(output.stdout);
}

/**
 * Applies manifests server-side, all in one call, and returns the objects as the API server has them then.
 *
 * @param dryRun the API server validates and merges, and stores nothing
 * @throws ActionError when any manifest is refused; a dry run first makes that happen before anything is stored,
 *   because an apply of several objects is not atomic
 */
export async function apply(
  kubectl: Program,
  namespace: string,
  manifests: readonly object[],
  options: { dryRun: boolean },
): Promise<KubernetesObject[]> {
  const list = { apiVersion: "v1", kind: "List", items: manifests };
  const output = await run(
    kubectl,
    [
      "apply",
      "--server-side",
      `--field-manager=${FIELD_MANAGER}`,
      ...(options.dryRun ? ["--dry-run=server"] : []),
      "-n",
      namespace,
      "-o",
      "json",
      REQUEST_TIMEOUT,
      "-f",
      "-",
    ],
    { input: JSON.stringify(list) },
  );
  if (output.exitCode !== 0) {
    // kubectl doesn't say which of several objects is refused.
    if (options.dryRun && manifests.length > 1) {
      for (const manifest of manifests) await apply(kubectl, namespace, [manifest], options);
    }
    throw applyError(output, manifests, namespace, options.dryRun);
  }
  const parsed: unknown = JSON.parse(output.stdout);
  const items = v.is(KubernetesList, parsed) ? parsed.items : [parsed];
  return items.map((item) => v.parse(KubernetesObject, item));
}

/** Returns the last lines that a container has written, those of its previous start when it has been started anew. */
export async function lastLogLines(
  kubectl: Program,
  namespace: string,
  pod: string,
  container: string,
  options: { previous: boolean; lines: number },
): Promise<string> {
  const previous = options.previous ? ["--previous"] : [];
  const args = ["logs", pod, "-c", container, `--tail=${options.lines}`, ...previous, "-n", namespace];
  const output = await run(kubectl, [...args, REQUEST_TIMEOUT]);
  return output.exitCode === 0 ? output.stdout.trimEnd() : `(no log: ${failureLines(output)})`;
}

/** Sets one annotation, whoever owns it. */
export async function annotate(
  kubectl: Program,
  namespace: string,
  object: string,
  name: string,
  value: string,
): Promise<void> {
  const args = ["annotate", object, `${name}=${value}`, "--overwrite", `--field-manager=${FIELD_MANAGER}`];
  const output = await run(kubectl, [...args, "-n", namespace, REQUEST_TIMEOUT]);
  if (output.exitCode !== 0)
    throw explain(`kubectl could not annotate ${object} in namespace ${namespace}.`, output);
}

/** Lines of standard error without kubectl's own warnings, which explain no failure. */
function failureLines(output: Output): string {
  const lines = output.stderr
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("Warning:"));
  return lines.join("\n") || `exit code ${output.exitCode}, nothing on standard error`;
}

/** Turns a failed call of kubectl's into an error with what the user can change. */
export function explain(what: string, output: Output): ActionError {
  const why = failureLines(output);
  return new ActionError(what, { why, ...remedyOf(why) });
}

/** Returns what a user can do about a failure of the API server's, as kubectl and Helm report it. */
export function remedyOf(stderr: string): { fix?: string } {
  if (/Unauthorized|must be logged in|provide credentials/.test(stderr)) {
    return {
      fix: "the cluster refuses the credentials: check the account and, with kubeconfig, that its token is still valid.",
    };
  }
  if (/forbidden/i.test(stderr)) {
    return {
      fix: "give the account that right: roles/container.developer on the project, or an RBAC role in the cluster.",
    };
  }
  if (
    /connection refused|was refused|no such host|i\/o timeout|Unable to connect|deadline exceeded|context deadline|TLS handshake timeout|no route to host|network is unreachable/i.test(
      stderr,
    )
  ) {
    return {
      fix: "the cluster's API server can't be reached from this runner: check the endpoint, the cluster's authorized networks, and that the cluster is running.",
    };
  }
  if (/certificate signed by unknown authority|x509:/.test(stderr)) {
    return {
      fix: "the API server's certificate is not the one that the kubeconfig expects: check kubeconfig and context.",
    };
  }
  if (/context .* does not exist|context was not found/i.test(stderr)) {
    return { fix: "set context to one that the kubeconfig has." };
  }
  if (
    /no matches for kind "(BackendConfig|FrontendConfig)"|doesn't have a resource type "backendconfig/.test(
      stderr,
    )
  ) {
    return {
      fix: "the cluster has no BackendConfig: turn its HTTP load balancing add-on on (gcloud container clusters update CLUSTER --update-addons=HttpLoadBalancing=ENABLED) and run again.",
    };
  }
  return {};
}

function applyError(
  output: Output,
  manifests: readonly object[],
  namespace: string,
  dryRun: boolean,
): ActionError {
  const objects = manifests
    .map((manifest) => v.parse(KubernetesObject, manifest))
    .map(({ kind, metadata }) => `${kind} ${namespace}/${metadata.name}`)
    .join(", ");
  // What follows a conflict is kubectl's advice to its own users.
  const [why = ""] = failureLines(output).split("\nPlease review the fields above");
  if (/Apply failed with \d+ conflict/.test(why)) {
    return new ActionError(
      dryRun
        ? `${objects} has fields that something else manages; nothing was changed.`
        : `Applying ${objects} failed: something else manages fields of it.`,
      {
        why,
        fix: "delete that object if it is no longer needed, or give this action's objects other names (ingress_name, backend_config_name, tls_secret).",
      },
    );
  }
  const what = dryRun
    ? `The API server refuses ${objects}; nothing was changed.`
    : `Applying ${objects} failed.`;
  return new ActionError(what, { why, ...remedyOf(why) });
}
