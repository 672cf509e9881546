import * as v from "valibot";
import { FieldTree } from "./field-tree.ts";
import type { KubernetesObject } from "./objects.ts";

/** The owner of every field that this action applies (server-side apply's field manager). */
export const FIELD_MANAGER = "milvus-gke-load-balancer";

const ManagedFields = v.looseObject({
  manager: v.optional(v.string(), ""),
  operation: v.picklist(["Apply", "Update"]),
  subresource: v.optional(v.string(), ""),
  fieldsV1: v.optional(FieldTree, {}),
});
/** Who manages which fields of an object. */
export type ManagedFields = v.InferOutput<typeof ManagedFields>;

const Entries = v.optional(v.array(ManagedFields), []);

/** Tells whether an entry is of what this action has applied, not of an annotation that it has set. */
export function isApplied({ manager, operation }: ManagedFields): boolean {
  return manager === FIELD_MANAGER && operation === "Apply";
}

/** Returns the entries of an object's metadata.managedFields. */
export function managedFields(object: KubernetesObject): ManagedFields[] {
  return v.parse(Entries, object.metadata.managedFields);
}
