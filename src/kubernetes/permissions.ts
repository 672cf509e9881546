import { allOf } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import type { ApiServer } from "./api.ts";

/** A resource with its API group, e.g. `deployments.apps`, and the verbs that a run needs for it. */
export type Rights = readonly [resource: string, ...verbs: string[]];

/** The verbs of accounts that may only look. A plan watches nothing. */
const READING = ["get", "list"];

/** Returns what of these rights a plan needs. */
export function reading(rights: readonly Rights[]): Rights[] {
  return rights.map(([resource, ...verbs]) => [resource, ...verbs.filter((verb) => READING.includes(verb))]);
}

/** What every deployment does in the release's namespace, directly or through Helm. */
export const DEPLOY: readonly Rights[] = [
  // Helm keeps each revision of a release in a Secret and removes the oldest ones.
  ["secrets", "get", "list", "watch", "create", "update", "patch", "delete"],
  ["services", "get", "list", "watch", "patch"],
  ["configmaps", "get", "list", "patch"],
  ["deployments.apps", "get", "list", "patch"],
  ["statefulsets.apps", "list"],
  ["replicasets.apps", "list"],
  ["pods", "list", "watch"],
  ["events", "list", "watch"],
  ["ingresses.networking.k8s.io", "get", "list", "watch", "create", "patch"],
  ["backendconfigs.cloud.google.com", "get", "create", "patch"],
];

/** What a Google-managed certificate needs in addition. It is replaced if it is for another host. */
export const MANAGED_CERTIFICATE: readonly Rights[] = [
  ["managedcertificates.networking.gke.io", "get", "list", "watch", "create", "patch", "delete"],
];

export const FRONTEND_CONFIG: readonly Rights[] = [
  ["frontendconfigs.networking.gke.io", "get", "create", "patch"],
];

/** What deleting the objects of a former certificate or frontend_config needs. */
export const CLEAR: Record<"FrontendConfig" | "ManagedCertificate" | "Secret", Rights> = {
  FrontendConfig: ["frontendconfigs.networking.gke.io", "delete"],
  ManagedCertificate: ["managedcertificates.networking.gke.io", "delete"],
  Secret: ["secrets", "delete"],
};

/** What a teardown needs for objects that not every load balancer has. */
export const REMOVE: Record<"FrontendConfig" | "ManagedCertificate", Rights> = {
  FrontendConfig: ["frontendconfigs.networking.gke.io", "list", "watch", "delete"],
  ManagedCertificate: ["managedcertificates.networking.gke.io", "list", "watch", "delete"],
};

/** What every teardown needs: it reads objects, deletes them and watches until they are gone. */
export const TEARDOWN: readonly Rights[] = [
  ["ingresses.networking.k8s.io", "get", "list", "watch", "delete"],
  ["services", "list"],
  ["backendconfigs.cloud.google.com", "get", "list", "watch", "delete"],
  ["secrets", "get", "list", "watch", "delete"],
];

/**
 * Asks the API server, in parallel, for each right that a run needs.
 *
 * @throws ActionError naming the missing rights, or when the cluster can't be reached
 */
export async function refuseMissingRights(
  api: ApiServer,
  namespace: string,
  needed: readonly Rights[] = DEPLOY,
): Promise<void> {
  const verbsOf = new Map<string, Set<string>>();
  for (const [resource, ...verbs] of needed) {
    verbsOf.set(resource, new Set([...(verbsOf.get(resource) ?? []), ...verbs]));
  }
  const rights = [...verbsOf].flatMap(([resource, verbs]) => [...verbs].map((verb) => ({ resource, verb })));
  const allowed = await allOf(rights.map(({ resource, verb }) => api.allows(namespace, resource, verb)));
  const missing = rights.filter((_, index) => !allowed[index]);
  if (missing.length === 0) return;

  const list = [...Map.groupBy(missing, ({ resource }) => resource)].map(
    ([resource, of]) => `${of.map(({ verb }) => verb).join(", ")} ${resource}`,
  );
  throw new ActionError(
    `The account lacks rights that a deployment needs in namespace ${namespace}; nothing was changed.`,
    {
      why: `it may not: ${list.join("; ")}.`,
      fix: "grant it roles/container.developer in the cluster's project, or a Role in that namespace with these rights.",
    },
  );
}
