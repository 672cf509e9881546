/** Helm 4's own watcher fails a StatefulSet at its first crash, which etcd and Pulsar have at every start. */
export function waitFlags(version: string): string[] {
  return version.startsWith("3.") ? ["--wait"] : ["--wait=legacy"];
}

/** Milvus's page has its readers annotate the Service by hand, and a server-side change refuses to share that. */
export function conflictFlags({ serverSide }: { serverSide: boolean }): string[] {
  return serverSide ? ["--force-conflicts"] : [];
}

/** Without it, an upgrade would undo what the post-renderer has changed. */
export function postRendererFlags({ postRenderer }: { postRenderer?: string | undefined }): string[] {
  return postRenderer === undefined ? [] : ["--post-renderer", postRenderer];
}

/** @param limit milliseconds */
export function timeoutFlags(limit: number): string[] {
  return ["--timeout", `${Math.ceil(limit / 1000)}s`];
}
