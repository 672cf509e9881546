import { type ApiServer, callApi } from "../../../local-gke/control-plane/api.ts";
import { apiServerOf } from "../../../local-gke/control-plane/client.ts";

/** Where objects of a kind are listed. */
const COLLECTIONS = {
  BackendConfig: "apis/cloud.google.com/v1/backendconfigs",
  ClusterRole: "apis/rbac.authorization.k8s.io/v1/clusterroles",
  ClusterRoleBinding: "apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
  ConfigMap: "api/v1/configmaps",
  ControllerRevision: "apis/apps/v1/controllerrevisions",
  CustomResourceDefinition: "apis/apiextensions.k8s.io/v1/customresourcedefinitions",
  Deployment: "apis/apps/v1/deployments",
  FrontendConfig: "apis/networking.gke.io/v1beta1/frontendconfigs",
  Ingress: "apis/networking.k8s.io/v1/ingresses",
  ManagedCertificate: "apis/networking.gke.io/v1/managedcertificates",
  Namespace: "api/v1/namespaces",
  Node: "api/v1/nodes",
  NetworkPolicy: "apis/networking.k8s.io/v1/networkpolicies",
  Secret: "api/v1/secrets",
  Service: "api/v1/services",
  ValidatingWebhookConfiguration: "apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
} as const;

const ROOT_CA = "kube-root-ca.crt";

export type Kind = keyof typeof COLLECTIONS;

/** An object of the API server's, as far as tests look into it. */
export interface ApiObject {
  metadata: {
    name: string;
    uid: string;
    resourceVersion: string;
    generation: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    finalizers?: string[];
    managedFields: { manager: string; fieldsV1: object }[];
  };
  type?: string;
  data?: Record<string, string>;
  spec?: object;
  status?: object;
}

/** Reads objects in this process: to start kubectl takes more time than to answer it. */
export class ApiReader {
  readonly #server: ApiServer;

  /** @param kubeconfig path of a cluster admin's, as local-gke writes it */
  constructor(kubeconfig: string) {
    this.#server = apiServerOf(kubeconfig);
  }

  /** @throws Error if there is no such object */
  async get(kind: Kind, namespace: string, name: string): Promise<ApiObject> {
    return JSON.parse(await this.#read(`${pathOf(kind, namespace)}/${name}`));
  }

  /**
   * All objects of a kind, without the ConfigMap that Kubernetes writes some time after each namespace.
   *
   * @param namespace without one: those of all namespaces, or that are in none
   * @param labels a selector, e.g. `owner=helm`
   */
  async list(kind: Kind, namespace?: string, labels = ""): Promise<ApiObject[]> {
    const query = `?labelSelector=${encodeURIComponent(labels)}`;
    const { items } = JSON.parse(await this.#read(`${pathOf(kind, namespace)}${query}`));
    return items.filter(({ metadata }: ApiObject) => metadata.name !== ROOT_CA);
  }

  async #read(path: string): Promise<string> {
    const { status, text } = await callApi(this.#server, "GET", path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`);
    return text;
  }
}

function pathOf(kind: Kind, namespace: string | undefined): string {
  const collection = COLLECTIONS[kind];
  if (namespace === undefined) return `/${collection}`;
  const slash = collection.lastIndexOf("/");
  return `/${collection.slice(0, slash)}/namespaces/${namespace}${collection.slice(slash)}`;
}
