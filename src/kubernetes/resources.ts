/** How the API server names a kind of object in its paths. */
export interface Resource {
  /** Group and version, e.g. `networking.k8s.io/v1`; `v1` for the core API. */
  apiVersion: string;
  kind: string;
  plural: string;
  namespaced: boolean;
}

/** The kinds of objects that this action itself reads or writes. */
const OWN = {
  Ingress: { apiVersion: "networking.k8s.io/v1", plural: "ingresses", namespaced: true },
  BackendConfig: { apiVersion: "cloud.google.com/v1", plural: "backendconfigs", namespaced: true },
  FrontendConfig: { apiVersion: "networking.gke.io/v1beta1", plural: "frontendconfigs", namespaced: true },
  ManagedCertificate: {
    apiVersion: "networking.gke.io/v1",
    plural: "managedcertificates",
    namespaced: true,
  },
  Secret: { apiVersion: "v1", plural: "secrets", namespaced: true },
  Service: { apiVersion: "v1", plural: "services", namespaced: true },
  ConfigMap: { apiVersion: "v1", plural: "configmaps", namespaced: true },
  Deployment: { apiVersion: "apps/v1", plural: "deployments", namespaced: true },
  ReplicaSet: { apiVersion: "apps/v1", plural: "replicasets", namespaced: true },
  StatefulSet: { apiVersion: "apps/v1", plural: "statefulsets", namespaced: true },
  Pod: { apiVersion: "v1", plural: "pods", namespaced: true },
  NetworkPolicy: { apiVersion: "networking.k8s.io/v1", plural: "networkpolicies", namespaced: true },
  Event: { apiVersion: "v1", plural: "events", namespaced: true },
  Namespace: { apiVersion: "v1", plural: "namespaces", namespaced: false },
  CustomResourceDefinition: {
    apiVersion: "apiextensions.k8s.io/v1",
    plural: "customresourcedefinitions",
    namespaced: false,
  },
} as const;
export type Kind = keyof typeof OWN;

/** Selects objects of a collection, in the API server's syntax. */
export type Selector = `${"fieldSelector" | "labelSelector"}=${string}`;

/** Returns how the API server names a kind that this action itself reads or writes. */
export function resourceOf(kind: Kind): Resource {
  return { kind, ...OWN[kind] };
}

/** Undefined if the kind isn't one of this action's own. */
export function ownResource(apiVersion: string, kind: string): Resource | undefined {
  const [name, own] = Object.entries(OWN).find(([name]) => name === kind) ?? [];
  return name !== undefined && own?.apiVersion === apiVersion ? { kind: name, ...own } : undefined;
}

/** Returns the plural with its group, e.g. `deployments.apps`, or `secrets` of the core API. */
export function groupedName({ apiVersion, plural }: Pick<Resource, "apiVersion" | "plural">): string {
  return apiVersion.includes("/") ? `${plural}.${apiVersion.split("/")[0]}` : plural;
}

/** Returns e.g. `/apis/networking.k8s.io/v1`, where an API lists its resources. */
export function apiPath(apiVersion: string): string {
  const path = apiVersion.split("/").map(encodeURIComponent).join("/");
  return apiVersion.includes("/") ? `/apis/${path}` : `/api/${path}`;
}

/** @param namespace ignored if the kind isn't namespaced; empty: all of them */
export function collectionPath(resource: Resource, namespace: string): string {
  const { apiVersion, plural, namespaced } = resource;
  const scope = namespaced && namespace !== "" ? `namespaces/${encodeURIComponent(namespace)}/` : "";
  return `${apiPath(apiVersion)}/${scope}${plural}`;
}

/** Returns the path of the selected objects of a {@link collectionPath}. */
export function selectionPath(resource: Resource, namespace: string, selector: Selector): string {
  const [name, expression = ""] = selector.split(/=(.*)/s);
  return `${collectionPath(resource, namespace)}?${name}=${encodeURIComponent(expression)}`;
}

/** Returns the path of one object in a {@link collectionPath}. */
export function objectPath(resource: Resource, namespace: string, name: string): string {
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
}

/** Returns the name for messages, e.g. `Ingress default/my-release-milvus`. */
export function titleOf({ kind, namespaced }: Resource, namespace: string, name: string): string {
  return `${kind} ${namespaced ? `${namespace}/` : ""}${name}`;
}
