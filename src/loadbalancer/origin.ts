import type { Manifest } from "../kubernetes/api.ts";
import type { KubernetesObject } from "../kubernetes/objects.ts";

/** The annotation that names the run which changed an object last. */
const CHANGED_BY = "milvus-gke-load-balancer/changed-by";

/** Returns a manifest that names the run which changes its object. */
export function changedBy(manifest: Manifest, origin: string | undefined): Manifest {
  if (origin === undefined) return manifest;
  const { metadata } = manifest;
  return {
    ...manifest,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [CHANGED_BY]: origin } },
  };
}

/**
 * Returns a manifest that names the same run as the live object does. A new name would make every run a
 * change, and server-side apply would remove one that the manifest lacks.
 */
export function changedAsBefore(manifest: Manifest, live: KubernetesObject | undefined): Manifest {
  return changedBy(manifest, live?.metadata.annotations[CHANGED_BY]);
}
