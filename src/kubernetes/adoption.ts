import type { ApiServer, Manifest } from "./api.ts";
import { managedFields } from "./managed-fields.ts";
import type { KubernetesObject } from "./objects.ts";
import { ownerOf } from "./ownership.ts";
import { afterAdoption } from "./take-over.ts";

/** Whom the API server names for all that an unrecorded object had when it was first applied server-side. */
const BEFORE_FIRST_APPLY = "before-first-apply";

/**
 * Applies a manifest to an object that this action has not made, or not alone, and returns the object as it is then.
 * What its owners had set and the manifest hasn't goes; what GKE's controllers have written stays.
 *
 * @param object as it is in the cluster
 * @param options `dryRun`: nothing is stored, and what would be is returned
 * @throws ActionError when the API server refuses it
 */
export async function adopt(
  api: ApiServer,
  manifest: Manifest,
  object: KubernetesObject,
  options: { dryRun: boolean },
): Promise<KubernetesObject> {
  const { dryRun } = options;
  const force = () => api.apply(manifest, { dryRun, force: true });
  const isRecorded = managedFields(object).length > 0;
  const recorded = isRecorded ? object : await force();
  const managers = isRecorded ? managersOf(object) : [BEFORE_FIRST_APPLY];
  if (!dryRun && managers.length > 0) await api.takeOver(recorded, managers);
  const applied = await force();
  return dryRun ? afterAdoption(recorded, managers, applied) : applied;
}

function managersOf(object: KubernetesObject): string[] {
  const owner = ownerOf(object);
  return owner.kind === "ours" ? [] : owner.managers;
}
