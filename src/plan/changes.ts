import { isDeepStrictEqual } from "node:util";
import { isOf, type KubernetesObject } from "../kubernetes/objects.ts";

/** What a run does to an object. */
export interface ObjectChange {
  kind: string;
  name: string;
  /** Public: the output `plan` has these words. */
  action: "create" | "change" | "keep" | "take over" | "delete";
}

/** Compares what the API server would store with what exists. */
export function objectChanges(
  before: readonly KubernetesObject[],
  after: readonly KubernetesObject[],
): ObjectChange[] {
  return after.map((object) => {
    const { kind, metadata } = object;
    const live = before.find(isOf(object));
    const action = !live ? "create" : isDeepStrictEqual(content(live), content(object)) ? "keep" : "change";
    return { kind, name: metadata.name, action };
  });
}

/** Drops the metadata that the API server itself writes. */
function content(object: KubernetesObject): object {
  const { managedFields: _, resourceVersion: __, generation: ___, ...metadata } = object.metadata;
  return { ...object, metadata };
}
