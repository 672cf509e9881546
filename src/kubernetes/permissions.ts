import { allOf } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import type { ApiServer } from "./api.ts";
import { groupedName } from "./resources.ts";
import { describeRights, type Right, roleFor, type Verb, without } from "./rights.ts";

/** Objects of one kind, and what is done with them. */
export interface ObjectVerbs {
  apiVersion: string;
  kind: string;
  /** Ignored if the kind isn't namespaced. */
  namespace: string;
  verbs: readonly Verb[];
}

/** Returns the rights that work on some objects needs. Leaves out kinds that the cluster doesn't know. */
export async function rightsOn(
  api: Pick<ApiServer, "resource">,
  objects: readonly ObjectVerbs[],
): Promise<Right[]> {
  const kinds = [...Map.groupBy(objects, ({ apiVersion, kind }) => `${apiVersion}/${kind}`).values()];
  const rights = await allOf(
    kinds.map(async (ofKind) => {
      const [first] = ofKind;
      const resource = first && (await api.resource(first));
      if (!resource) return [];
      return ofKind.flatMap(({ namespace, verbs }) =>
        verbs.map((verb) => ({
          namespace: resource.namespaced ? namespace : "",
          resource: groupedName(resource),
          verb,
        })),
      );
    }),
  );
  return without(rights.flat(), []);
}

/**
 * Asks the API server for each right that a run needs, side by side.
 *
 * The one request for all rights (SelfSubjectRulesReview) can't do it: its answer is incomplete where
 * Google's IAM grants rights, as in GKE.
 *
 * @param needed each right once
 * @throws ActionError naming the missing rights and who has them, or when the cluster can't be reached
 */
export async function refuseMissingRights(
  api: Pick<ApiServer, "allows">,
  needed: readonly Right[],
): Promise<void> {
  const allowed = await allOf(needed.map((right) => api.allows(right)));
  const missing = needed.filter((_, index) => !allowed[index]);
  if (missing.length === 0) return;
  throw new ActionError("The account lacks rights that this run needs; nothing was changed.", {
    why: describeRights(missing),
    fix: roleFor(missing),
  });
}
