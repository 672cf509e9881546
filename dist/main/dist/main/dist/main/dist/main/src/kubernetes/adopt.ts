import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import type { ApiServer, JsonPatch, Manifest } from "./api.ts";
import { difference, type FieldTree, union } from "./field-tree.ts";
import { FIELD_MANAGER, isApplied, type ManagedFields, managedFields } from "./managed-fields.ts";
import { KubernetesObject } from "./objects.ts";
import { ownerOf } from "./ownership.ts";

/**
 * The manager that the API server names for all fields that an object had before its first server-side apply.
 */
const BEFORE_FIRST_APPLY = "before-first-apply";
/** `kubectl apply` compares with this annotation. It must go, as the object no longer belongs to kubectl. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const LAST_APPLIED_FIELD = { "f:metadata": { "f:annotations": { [`f:${LAST_APPLIED}`]: {} } } };
/** GKE's controllers may change an object between reading and patching it. */
const ATTEMPTS = 10;

/**
 * Applies a manifest to an object that somebody else made, or manages in part. Removes what its owners set
 * and the manifest lacks. Keeps what GKE's controllers wrote.
 *
 * @param object as it is in the cluster
 * @throws ActionError when the API server refuses it
 */
export async function adopt(api: ApiServer, manifest: Manifest, object: KubernetesObject): Promise<void> {
  const apply = () => api.apply(manifest, { dryRun: false, force: true });
  const isRecorded = managedFields(object).length > 0;
  // An apply makes the API server record who manages which fields.
  const recorded = isRecorded ? object : await apply();
  const managers = isRecorded ? managersOf(object) : [BEFORE_FIRST_APPLY];
  if (managers.length > 0) await adoptFields(api, recorded, managers);
  await apply();
}

/**
 * Returns what {@link adopt} makes of an object.
 *
 * @param applied what the API server would store when the manifest was applied and nothing else
 * @param object as it is in the cluster
 */
export function afterAdoption(applied: KubernetesObject, object: KubernetesObject): KubernetesObject {
  const managers = managedFields(object).length > 0 ? managersOf(object) : [BEFORE_FIRST_APPLY];
  const { owned = [], others = [] } = Object.groupBy(managedFields(applied), (entry) =>
    managers.includes(entry.manager) && !isApplied(entry) ? "owned" : "others",
  );
  const lost = difference(fieldsOf(owned), fieldsOf(others));
  return v.parse(KubernetesObject, withoutFields(applied, union(lost, LAST_APPLIED_FIELD)));
}

/** Removes fields from an object, and the maps that become empty. Single items of lists stay. */
function withoutFields(object: YamlMap, fields: FieldTree): YamlMap {
  return Object.fromEntries(
    Object.entries(object).flatMap(([key, value]) => {
      const below = fields[`f:${key}`];
      if (!below) return [[key, value]];
      if (Object.keys(below).length === 0) return [];
      if (!isMap(value)) return [[key, value]];
      const rest = withoutFields(value, below);
      return Object.keys(rest).length > 0 ? [[key, rest]] : [];
    }),
  );
}

/**
 * Makes this action the manager of the fields of others, so that its next apply removes those that it doesn't
 * want. Fields of other managers, such as status, stay theirs.
 *
 * @param object as it was read from the cluster; read again if it has changed since
 * @param managers whose fields
 * @throws ActionError when the API server refuses it, the object is gone, or it keeps changing
 */
export async function adoptFields(
  api: ApiServer,
  object: KubernetesObject,
  managers: readonly string[],
): Promise<KubernetesObject> {
  let current = object;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const adopted = await api.patch(current, adoptionPatch(current, managers));
    if (adopted) return adopted;
    current = (await api.find(current)) ?? current;
  }
  const { kind, metadata } = object;
  throw new ActionError(`${kind} ${metadata.namespace}/${metadata.name} could not be adopted.`, {
    why: `it was changed by something else during each of ${ATTEMPTS} attempts.`,
    fix: "run again; if that fails too, find out what keeps changing the object.",
  });
}

/**
 * Returns the patch that hands the managers' fields over to this action, as client-go's csaupgrade does. The
 * API server refuses it if the object has changed since.
 */
export function adoptionPatch(object: KubernetesObject, managers: readonly string[]): JsonPatch[] {
  const { adopted, others } = divide(object, managers);
  const applied = {
    manager: FIELD_MANAGER,
    operation: "Apply",
    apiVersion: object.apiVersion,
    fieldsType: "FieldsV1",
    fieldsV1: difference(fieldsOf(adopted), LAST_APPLIED_FIELD),
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

function managersOf(object: KubernetesObject): string[] {
  const owner = ownerOf(object);
  return owner.kind === "ours" ? [] : owner.managers;
}

/**
 * Tells the entries that this action has or adopts from those of others. Subresources stay with who writes
 * them.
 */
function divide(object: KubernetesObject, managers: readonly string[]) {
  const { adopted = [], others = [] } = Object.groupBy(managedFields(object), (entry) => {
    const isAdopted = isApplied(entry) || managers.includes(entry.manager);
    return entry.subresource === "" && isAdopted ? "adopted" : "others";
  });
  return { adopted, others };
}

function fieldsOf(entries: readonly ManagedFields[]): FieldTree {
  return entries.reduce<FieldTree>((fields, { fieldsV1 }) => union(fields, fieldsV1), {});
}
