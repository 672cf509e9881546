import * as v from "valibot";
import { FieldTree } from "./field-tree.ts";
import type { KubernetesObject } from "./objects.ts";

/** The field manager (of server-side apply) of every field that this action applies. */
export const FIELD_MANAGER = "milvus-gke-load-balancer";

const ManagedFields = v.looseObject({
  manager: v.optional(v.string(), ""),
  operation: v.picklist(["Apply", "Update"]),
  subresource: v.optional(v.string(), ""),
  fieldsV1: v.optional(FieldTree, {}),
});
/** An entry of metadata.managedFields: who manages which fields, and how. */
export type ManagedFields = v.InferOutput<typeof ManagedFields>;

const Entries = v.optional(v.array(ManagedFields), []);

/** Whether this action applied the fields. Annotations that it only set have an entry of their own. */
export function isApplied({ manager, operation }: ManagedFields): boolean {
  return manager === FIELD_MANAGER && operation === "Apply";
}

/** Returns the entries of an object's metadata.managedFields. */
export function managedFields(object: KubernetesObject): ManagedFields[] {
  return v.parse(Entries, object.metadata.managedFields);
}
