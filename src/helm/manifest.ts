import { isDeepStrictEqual } from "node:util";
import { loadAll } from "js-yaml";
import * as v from "valibot";
import { differences, type FieldDifference } from "../kubernetes/field-difference.ts";

/** An object as a chart renders it. Empty fields may be null. */
const ManifestObject = v.looseObject({
  apiVersion: v.string(),
  kind: v.string(),
  metadata: v.looseObject({
    name: v.string(),
    namespace: v.nullish(v.string(), ""),
    annotations: v.nullish(v.record(v.string(), v.unknown()), {}),
  }),
});
export type ManifestObject = v.InferOutput<typeof ManifestObject>;

/** The name of an object in the log and the plan. */
export interface ObjectName {
  kind: string;
  name: string;
}

/** What an upgrade does to the objects of a release. */
export interface ManifestChange {
  /** Workloads whose pods are replaced. */
  restarts: ObjectName[];
  creates: ObjectName[];
  deletes: ObjectName[];
}

const WORKLOADS = new Set(["Deployment", "StatefulSet", "DaemonSet"]);

const Workload = v.looseObject({ spec: v.looseObject({ template: v.unknown() }) });

/**
 * Returns the objects of a rendered manifest by group, kind, namespace and name, as Helm tells them apart
 * (helm pkg/kube/resource.go, isMatchingInfo).
 *
 * @param text several YAML documents
 */
export function parseManifest(text: string): Map<string, ManifestObject> {
  // Of two equal keys the last one counts, as for Helm.
  const documents = loadAll(text, { json: true }).filter((document) => document !== null);
  return new Map(
    documents.map((document) => {
      const object = v.parse(ManifestObject, document);
      const group = object.apiVersion.includes("/") ? object.apiVersion.split("/")[0] : "";
      return [[group, object.kind, object.metadata.namespace, object.metadata.name].join("/"), object];
    }),
  );
}

/**
 * Returns the text of each object of a rendered manifest, by the keys of {@link parseManifest}.
 *
 * @param text several YAML documents
 */
export function splitManifest(text: string): Map<string, string> {
  const documents = text.split(/^---(?=\s|$)/m);
  return new Map(
    documents.flatMap((document) =>
      [...parseManifest(document).keys()].map((key) => [key, document.trim()] as const),
    ),
  );
}

/**
 * Compares the manifest of a release with the one that an upgrade would make. Any change of a pod template
 * replaces the pods. An object with the annotation helm.sh/resource-policy: keep is not deleted.
 */
export function compareManifests(before: string, after: string): ManifestChange {
  const [old, wanted] = [parseManifest(before), parseManifest(after)];
  const added = [...wanted].filter(([key]) => !old.has(key));
  const removed = [...old].filter(([key]) => !wanted.has(key));
  const changed = [...wanted].filter(([key, object]) => {
    const former = old.get(key);
    return (
      former && WORKLOADS.has(object.kind) && !isDeepStrictEqual(podTemplate(former), podTemplate(object))
    );
  });
  return {
    restarts: changed.map(nameOf),
    creates: added.map(nameOf),
    deletes: removed.filter(([, object]) => !isKept(object)).map(nameOf),
  };
}

/** Tells whether Helm leaves an object in the cluster that the release no longer has. */
export function isKept({ metadata }: ManifestObject): boolean {
  return metadata.annotations["helm.sh/resource-policy"] === "keep";
}

/** A field in which two manifests differ. Without a path: an object that only one of them has. */
export interface ManifestDifference extends ObjectName, FieldDifference {}

/** Returns the fields in which two manifests differ. */
export function manifestDifferences(before: string, after: string): ManifestDifference[] {
  const [old, wanted] = [parseManifest(before), parseManifest(after)];
  return [...new Set([...old.keys(), ...wanted.keys()])].flatMap((key) => {
    const [one, other] = [old.get(key), wanted.get(key)];
    const object = other ?? one;
    return object ? differences(one, other).map((field) => ({ ...nameOf([key, object]), ...field })) : [];
  });
}

function podTemplate(object: ManifestObject): unknown {
  return v.parse(Workload, object).spec.template;
}

function nameOf([, { kind, metadata }]: [string, ManifestObject]): ObjectName {
  return { kind, name: metadata.name };
}
