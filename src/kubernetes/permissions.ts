import { allOf } from "../async.ts";
import { ActionError } from "../errors.ts";
import type { ApiServer } from "./api.ts";

/** What every deployment does in the release's namespace, by itself or through Helm: resource, then verbs. */
const NEEDED: readonly [resource: string, ...verbs: string[]][] = [
  // Helm keeps each revision of a release in a Secret, and removes the oldest.
  ["secrets", "get", "list", "watch", "create", "update", "patch", "delete"],
  ["services", "get", "list", "watch", "patch"],
  ["configmaps", "get", "patch"],
  ["deployments.apps", "get", "patch"],
  ["replicasets.apps", "list"],
  ["pods", "list", "watch"],
  ["events", "list", "watch"],
  ["ingresses.networking.k8s.io", "get", "list", "watch", "create", "patch"],
  ["backendconfigs.cloud.google.com", "get", "create", "patch"],
];

/**
 * Asks the API server for each right that a deployment needs, side by side, and returns when it has them all.
 *
 * @throws ActionError naming those that are missing, or when the cluster can't be reached
 */
export async function refuseMissingRights(api: ApiServer, namespace: string): Promise<void> {
  const rights = NEEDED.flatMap(([resource, ...verbs]) => verbs.map((verb) => ({ resource, verb })));
  const allowed = await allOf(rights.map(({ resource, verb }) => api.allows(namespace, resource, verb)));
  const missing = rights.filter((_, index) => !allowed[index]);
  if (missing.length === 0) return;

  const verbsOf = Map.groupBy(missing, ({ resource }) => resource);
  const list = [...verbsOf].map(([resource, of]) => `${of.map(({ verb }) => verb).join(", ")} ${resource}`);
  throw new ActionError(
    `The account lacks rights that a deployment needs in namespace ${namespace}; nothing was changed.`,
    {
      why: `it may not: ${list.join("; ")}.`,
      fix: "grant it roles/container.developer in the cluster's project, or a Role in that namespace with these rights.",
    },
  );
}
