import { isDeepStrictEqual } from "node:util";
import { isOf, type KubernetesObject } from "../kubernetes/objects.ts";

/** What becomes of an object of ours. */
export interface ObjectChange {
  kind: string;
  name: string;
  action: "create" | "change" | "keep" | "adopt" | "delete";
}

/** Compares what the API server would store with what is there. */
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

/** An object without the metadata that the API server keeps for itself. */
function content(object: KubernetesObject): object {
  const { managedFields: _, resourceVersion: __, generation: ___, ...metadata } = object.metadata;
  return { ...object, metadata };
}
