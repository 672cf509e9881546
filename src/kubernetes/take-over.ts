import * as v from "valibot";
import { difference, type FieldTree, union, without } from "./field-tree.ts";
import { FIELD_MANAGER, isApplied, type ManagedFields, managedFields } from "./managed-fields.ts";
import { KubernetesObject } from "./objects.ts";

/** What `kubectl apply` compares with the next time: it must not come back to an object that is no longer its own. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const LAST_APPLIED_FIELD = { "f:metadata": { "f:annotations": { [`f:${LAST_APPLIED}`]: {} } } };

/** One operation of a JSON patch (RFC 6902). */
interface JsonPatch {
  op: "replace" | "remove";
  path: string;
  value?: unknown;
}

/**
 * Returns the patch that makes the fields of the given managers this action's own, so that its next server-side apply
 * removes those that it doesn't want (what client-go's csaupgrade does). It fails on an object that has changed since.
 */
export function adoptionPatch(object: KubernetesObject, managers: readonly string[]): JsonPatch[] {
  const { ours, theirs, others } = divide(object, managers);
  const fieldsV1 = difference(fieldsOf([...ours, ...theirs]), LAST_APPLIED_FIELD);
  const applied = {
    manager: FIELD_MANAGER,
    operation: "Apply",
    apiVersion: object.apiVersion,
    fieldsType: "FieldsV1",
    fieldsV1,
  };
  const { resourceVersion, annotations } = object.metadata;
  return [
    { op: "replace", path: "/metadata/managedFields", value: [...others, applied] },
    { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
    ...(annotations[LAST_APPLIED] === undefined
      ? []
      : [{ op: "remove" as const, path: `/metadata/annotations/${LAST_APPLIED.replace("/", "~1")}` }]),
  ];
}

/**
 * Foretells what an object will be when it is applied after it was taken over, which no dry run can show: that can't
 * start from what another dry run has left.
 *
 * @param before the object as it is
 * @param forced what a dry run with `force` makes of it
 */
export function afterAdoption(
  before: KubernetesObject,
  managers: readonly string[],
  forced: KubernetesObject,
): KubernetesObject {
  const taken = fieldsOf(divide(before, managers).theirs);
  const after = divide(forced, managers);
  const given = difference(union(taken, LAST_APPLIED_FIELD), fieldsOf([...after.ours, ...after.others]));
  return v.parse(KubernetesObject, without(forced, given));
}

/** Subresources, such as status, stay with whoever writes them. */
function divide(object: KubernetesObject, managers: readonly string[]) {
  const groups = Object.groupBy(managedFields(object), (entry) => {
    if (entry.subresource !== "") return "others";
    if (isApplied(entry)) return "ours";
    return managers.includes(entry.manager) ? "theirs" : "others";
  });
  const { ours = [], theirs = [], others = [] } = groups;
  return { ours, theirs, others };
}

function fieldsOf(entries: readonly ManagedFields[]): FieldTree {
  return entries.reduce<FieldTree>((fields, { fieldsV1 }) => union(fields, fieldsV1), {});
}
