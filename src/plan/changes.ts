import { isDeepStrictEqual } from "node:util";
import { isMap, type YamlMap } from "../base/yaml.ts";
import type { Manifest } from "../kubernetes/api.ts";
import { differences, type FieldDifference } from "../kubernetes/field-difference.ts";
import type { FieldTree } from "../kubernetes/field-tree.ts";
import { isApplied, managedFields } from "../kubernetes/managed-fields.ts";
import type { KubernetesObject } from "../kubernetes/objects.ts";
import { unmetFields } from "../kubernetes/unmet-fields.ts";
import { type FieldChange, shownField } from "./shown-fields.ts";

/** What a run does to an object. */
export interface ObjectChange {
  kind: string;
  name: string;
  /** Public: the output `plan` has these words. */
  action: "create" | "change" | "keep" | "take over" | "delete";
  /** What changes in an object that exists. */
  fields?: Pick<FieldChange, "path" | "before" | "after">[];
  /** Public: false when no dry run has checked the change, because the account may not apply the object. */
  rehearsed?: false;
}

/** Compares what the API server would store with what exists. */
export function objectChange(before: KubernetesObject | undefined, after: KubernetesObject): ObjectChange {
  const { kind, metadata } = after;
  const isKept = before && isDeepStrictEqual(content(before), content(after));
  if (!before) return { kind, name: metadata.name, action: "create" };
  if (isKept) return { kind, name: metadata.name, action: "keep" };
  const changed = differences(whatPeopleSet(before), whatPeopleSet(after));
  return { kind, name: metadata.name, action: "change", ...shownFields(before, changed) };
}

/**
 * Compares a manifest with the live object, for an account that may not make a dry run. The object is kept if
 * it has all that the manifest says, and nothing that this action applied earlier and the manifest lacks.
 * Whether the API server would accept the manifest isn't known.
 */
export function uncheckedChange(live: KubernetesObject | undefined, manifest: Manifest): ObjectChange {
  const { kind, metadata } = manifest;
  const { name } = metadata;
  if (!live) return { kind, name, action: "create", rehearsed: false };
  const wanted = asStored(manifest);
  const applied = managedFields(live).find(isApplied)?.fieldsV1 ?? {};
  const unmet = unmetFields(wanted, live);
  const isKept = unmet.length === 0 && !hasFieldsBeyond(applied, wanted);
  return { kind, name, action: isKept ? "keep" : "change", ...shownFields(live, unmet), rehearsed: false };
}

/** Returns what a manifest wants stored. The API server keeps a Secret's `stringData` in `data`. */
function asStored(manifest: Manifest): YamlMap {
  const { apiVersion: _, kind, metadata, stringData, ...content }: YamlMap & Manifest = { ...manifest };
  const { labels, annotations }: YamlMap = { ...metadata };
  const stored = { metadata: { labels, annotations }, ...content };
  if (kind !== "Secret" || !isMap(stringData)) return stored;
  const base64 = (text: unknown) => Buffer.from(String(text ?? "")).toString("base64");
  const encoded = Object.entries(stringData).map(([key, text]) => [key, base64(text)]);
  return { ...stored, data: { ...(isMap(content.data) && content.data), ...Object.fromEntries(encoded) } };
}

/** Tells whether a tree has a field that an object lacks. Items of lists are not looked at. */
function hasFieldsBeyond(tree: FieldTree, object: YamlMap): boolean {
  return Object.entries(tree).some(([key, below]) => {
    if (!key.startsWith("f:")) return false;
    const value = object[key.slice("f:".length)];
    return value === undefined || (isMap(value) && hasFieldsBeyond(below, value));
  });
}

/** Annotations that tools keep for themselves. */
const BOOKKEEPING =
  /\.annotations\["(kubectl\.kubernetes\.io\/last-applied-configuration|milvus-gke-load-balancer\/changed-by)"\]$/;

/** Returns the fields of an object that change, without secrets. */
function shownFields(
  { kind, metadata: { name } }: KubernetesObject,
  found: readonly FieldDifference[],
): Pick<ObjectChange, "fields"> {
  const fields = found
    .filter(({ path }) => !BOOKKEEPING.test(path))
    .map((difference) => shownField({ kind, name, ...difference }, []))
    .map(({ path, before, after }) => ({ path, before, after }));
  return fields.length > 0 ? { fields } : {};
}

function whatPeopleSet({
  apiVersion: _,
  kind: __,
  status: ___,
  metadata,
  ...content
}: KubernetesObject): object {
  const { labels, annotations } = metadata;
  return { metadata: { labels, annotations }, ...content };
}

/** Drops the metadata that the API server itself writes. */
function content(object: KubernetesObject): object {
  const { managedFields: _, resourceVersion: __, generation: ___, ...metadata } = object.metadata;
  return { ...object, metadata };
}
