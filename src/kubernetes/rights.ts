/** What an account may do with a resource, as RBAC names it. Google's IAM knows no `watch` and no `patch`. */
const VERBS = ["get", "list", "watch", "create", "update", "patch", "delete"] as const;
export type Verb = (typeof VERBS)[number];

/** A resource with its API group, e.g. `deployments.apps`, and the verbs that a run needs for it. */
export type Rights = readonly [resource: string, ...verbs: Verb[]];

/** One verb on one resource. */
export interface Right {
  /** Empty for objects of the whole cluster. */
  namespace: string;
  resource: string;
  verb: Verb;
}

/** What Helm and this action do with the release. */
export const RELEASE: readonly Rights[] = [
  // Helm keeps each revision of a release in a Secret and removes the oldest ones.
  ["secrets", "get", "list", "create", "update", "delete"],
  ["services", "get", "list", "patch"],
  ["configmaps", "get", "list", "patch"],
  ["deployments.apps", "get", "list", "patch"],
  ["statefulsets.apps", "list"],
  ["replicasets.apps", "list"],
  ["pods", "list", "watch"],
];

/** What every deployment does with the load balancer's objects. */
export const LOAD_BALANCER: readonly Rights[] = [
  ["ingresses.networking.k8s.io", "get", "list", "watch", "create", "patch"],
  ["backendconfigs.cloud.google.com", "get", "create", "patch"],
  ["secrets", "get", "watch", "create", "patch"],
  ["services", "watch"],
  ["events", "list", "watch"],
];

/** What a Google-managed certificate needs in addition. It is replaced if it is for another host. */
export const MANAGED_CERTIFICATE: readonly Rights[] = [
  ["managedcertificates.networking.gke.io", "get", "list", "watch", "create", "patch", "delete"],
];

/** What a FrontendConfig needs in addition. */
export const FRONTEND_CONFIG: readonly Rights[] = [
  ["frontendconfigs.networking.gke.io", "get", "create", "patch"],
];

/**
 * What deleting the load balancer's objects needs: those of a former certificate or frontend_config, and all
 * that this run has made when the rollout fails.
 */
export const CLEAR: Record<ClearedKind, Rights> = {
  Ingress: ["ingresses.networking.k8s.io", "delete"],
  BackendConfig: ["backendconfigs.cloud.google.com", "delete"],
  FrontendConfig: ["frontendconfigs.networking.gke.io", "delete"],
  ManagedCertificate: ["managedcertificates.networking.gke.io", "delete"],
  Secret: ["secrets", "delete"],
};

type ClearedKind = "Ingress" | "BackendConfig" | "FrontendConfig" | "ManagedCertificate" | "Secret";

/** What every teardown needs: it reads objects, deletes them and watches until they are gone. */
export const TEARDOWN: readonly Rights[] = [
  ["ingresses.networking.k8s.io", "get", "list", "watch", "delete"],
  ["services", "list"],
  ["backendconfigs.cloud.google.com", "get", "list", "watch", "delete"],
  ["secrets", "get", "list", "watch", "delete"],
];

/** What a teardown needs for objects that not every load balancer has. */
export const REMOVE: Record<"FrontendConfig" | "ManagedCertificate", Rights> = {
  FrontendConfig: ["frontendconfigs.networking.gke.io", "get", "list", "watch", "delete"],
  ManagedCertificate: ["managedcertificates.networking.gke.io", "list", "watch", "delete"],
};

/** Returns what deleting objects of these kinds needs, as far as they are kinds of the load balancer's. */
export function rightsToClear(kinds: readonly string[]): Rights[] {
  return Object.entries(CLEAR).flatMap(([kind, rights]) => (kinds.includes(kind) ? [rights] : []));
}

/** Returns the rights of several tables in a namespace, each once. */
export function rightsIn(namespace: string, ...tables: readonly (readonly Rights[])[]): Right[] {
  const all = tables.flat().flatMap(([resource, ...verbs]) => verbs.map((verb) => ({ resource, verb })));
  return distinct(all.map((right) => ({ namespace, ...right })));
}

/** Returns the rights of an account that may only look: a plan watches nothing. */
export function reading(rights: readonly Right[]): Right[] {
  return rights.filter(({ verb }) => verb === "get" || verb === "list");
}

/** Returns the rights that aren't among `others`, each once. */
export function without(rights: readonly Right[], others: readonly Right[]): Right[] {
  const known = new Set(others.map(keyOf));
  return distinct(rights).filter((right) => !known.has(keyOf(right)));
}

function distinct(rights: readonly Right[]): Right[] {
  return [...new Map(rights.map((right) => [keyOf(right), right])).values()];
}

function keyOf({ namespace, resource, verb }: Right): string {
  return `${namespace}/${resource}/${verb}`;
}

/**
 * Names rights as in `in namespace milvus it may not: get, create secrets; list pods.`
 *
 * @param rights at least one
 */
export function describeRights(rights: readonly Right[]): string {
  const scopes = [...Map.groupBy(rights, ({ namespace }) => namespace)].map(([namespace, ofScope]) => {
    const list = [...Map.groupBy(ofScope, ({ resource }) => resource)].map(([resource, ofResource]) => {
      const verbs = VERBS.filter((verb) => ofResource.some((right) => right.verb === verb));
      return `${verbs.join(", ")} ${resource}`;
    });
    return `in ${namespace === "" ? "the whole cluster" : `namespace ${namespace}`} it may not: ${list.join("; ")}.`;
  });
  return scopes.join(" ");
}

/**
 * Says which role has the missing rights. Google's `roles/container.developer` has all but those to change
 * Roles and RoleBindings, which it may only get and list (Google's index of IAM roles and permissions).
 */
export function roleFor(missing: readonly Right[]): string {
  const isReading = ({ verb }: Right) => verb === "get" || verb === "list" || verb === "watch";
  const lacks = missing.some(
    (right) => right.resource.endsWith(".rbac.authorization.k8s.io") && !isReading(right),
  );
  const isWide = missing.some(({ namespace }) => namespace === "");
  const own = `a ${isWide ? "ClusterRole" : "Role"} with these rights (docs/permissions.md)`;
  return lacks
    ? `grant it roles/container.admin in the cluster's project, or ${own}. roles/container.developer is not enough: it may only read Roles and RoleBindings.`
    : `grant it roles/container.developer in the cluster's project, or ${own}.`;
}
