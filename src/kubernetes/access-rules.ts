import * as v from "valibot";
import type { Right } from "./rights.ts";

const Names = v.nullish(v.array(v.string()), () => []);

/** A rule of what an account may do in a namespace (authorization.k8s.io/v1, ResourceRule). */
export const AccessRule = v.looseObject({
  verbs: Names,
  apiGroups: Names,
  resources: Names,
  /** The only objects that the rule is about; empty: all of them. */
  resourceNames: Names,
});
export type AccessRule = v.InferOutput<typeof AccessRule>;

/** Tells whether a rule gives a right on all objects of the resource. */
export function gives(
  { verbs, apiGroups, resources, resourceNames }: AccessRule,
  { resource, verb }: Pick<Right, "resource" | "verb">,
): boolean {
  const [plural = "", ...group] = resource.split(".");
  const has = (names: readonly string[], name: string) => names.includes("*") || names.includes(name);
  return (
    resourceNames.length === 0 &&
    has(verbs, verb) &&
    has(apiGroups, group.join(".")) &&
    has(resources, plural)
  );
}
