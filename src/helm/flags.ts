/**
 * Returns the flag with which Helm waits for the rollout. Helm 4's own watcher fails a StatefulSet at its
 * first crash, and etcd and Pulsar crash at every start.
 */
export function waitFlags(version: string): string[] {
  return version.startsWith("3.") ? ["--wait"] : ["--wait=legacy"];
}

/**
 * Returns the flag that lets Helm overwrite fields of others. Readers of Milvus's page annotate the Service
 * by hand, and a server-side upgrade would stop at that conflict.
 */
export function conflictFlags(version: string, release: { serverSide: boolean }): string[] {
  return appliesServerSide(version, release) ? ["--force-conflicts"] : [];
}

/** Tells whether Helm will apply a release server-side. Helm 3 never does, whatever Helm 4 did before. */
export function appliesServerSide(version: string, { serverSide }: { serverSide: boolean }): boolean {
  return serverSide && !version.startsWith("3.");
}

/**
 * Returns the flags for the post-renderer. Without it an upgrade would undo what the post-renderer changed.
 */
export function postRendererFlags({
  postRenderer,
  postRendererArgs = [],
}: {
  postRenderer?: string | undefined;
  postRendererArgs?: readonly string[] | undefined;
}): string[] {
  if (postRenderer === undefined) return [];
  return ["--post-renderer", postRenderer, ...postRendererArgs.map((arg) => `--post-renderer-args=${arg}`)];
}

/** Returns the flags that limit Helm's wait, given in milliseconds. */
export function timeoutFlags(limit: number): string[] {
  return ["--timeout", `${Math.ceil(limit / 1000)}s`];
}

/** Returns the flags for what `helm history` shows of the revision, instead of "Upgrade complete". */
export function descriptionFlags(description: string | undefined): string[] {
  return description === undefined ? [] : ["--description", description];
}

/**
 * Leaves the check of fields to the API server, which does it since Kubernetes 1.27. Helm itself then checks
 * nothing. But to find out whether it must, it would read the OpenAPI documents of every API: a third of a
 * second of CPU time.
 */
export const NO_OWN_VALIDATION = "--disable-openapi-validation";
