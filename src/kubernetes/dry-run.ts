import type { ApiServer, ApplyOptions, Manifest } from "./api.ts";
import type { KubernetesObject } from "./objects.ts";

/** How often an object is read again. */
const MOST_READS = 3;

/**
 * Makes a server-side dry run of a manifest. Controllers write to objects at any time: an object that was
 * changed after it was read is read again, so that their change doesn't look like one of the manifest's.
 *
 * @param read the object as it was read; undefined if there was none
 * @returns the object as it is, and as it would be with the manifest
 * @throws ActionError when the API server refuses the manifest
 */
export async function dryRunApply(
  api: ApiServer,
  manifest: Manifest,
  read: KubernetesObject | undefined,
  options: Omit<ApplyOptions, "dryRun">,
): Promise<{ before: KubernetesObject | undefined; after: KubernetesObject }> {
  let before = read;
  for (let reads = 0; ; reads += 1) {
    // The answer to a dry run has the version of the stored object.
    const after = await api.apply(manifest, { ...options, dryRun: true });
    const isCurrent = before?.metadata.resourceVersion === after.metadata.resourceVersion;
    if (!before || isCurrent || reads === MOST_READS) return { before, after };
    before = await api.find(manifest, options.origin);
  }
}
