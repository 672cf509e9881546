import { allOf } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import { gives } from "./access-rules.ts";
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
 * Asks the API server for the rights that a run needs. One request for each namespace names most of them. Its
 * answer may be incomplete, so this asks for each of the others, side by side.
 *
 * @param needed each right once
 * @throws ActionError naming the missing rights and who has them, or when the cluster can't be reached
 */
export async function refuseMissingRights(
  api: Pick<ApiServer, "allows" | "rulesIn">,
  needed: readonly Right[],
): Promise<void> {
  const scopes = [...Map.groupBy(needed, ({ namespace }) => namespace)];
  const unnamed = await allOf(
    scopes.map(async ([namespace, rights]) => {
      // The API server names rules for one namespace only, not for the whole cluster.
      const rules = namespace === "" ? [] : await api.rulesIn(namespace);
      return rights.filter((right) => !rules.some((rule) => gives(rule, right)));
    }),
  );
  const asked = unnamed.flat();
  const allowed = await allOf(asked.map((right) => api.allows(right)));
  const missing = asked.filter((_, index) => !allowed[index]);
  if (missing.length === 0) return;
  throw new ActionError("The account lacks rights that this run needs; nothing was changed.", {
    why: describeRights(missing),
    fix: roleFor(missing),
  });
}
