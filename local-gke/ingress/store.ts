import {
  ApiException,
  CoreV1Api,
  CustomObjectsApi,
  DiscoveryV1Api,
  type Informer,
  type KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  makeInformer,
  NetworkingV1Api,
  type ObjectCache,
  type V1EndpointSlice,
  type V1Ingress,
  type V1Service,
} from "@kubernetes/client-node";
import { keepInformed } from "../control-plane/informer.ts";
import { type BackendConfig, parseBackendConfig } from "./backend-config.ts";
import { type FrontendConfig, parseFrontendConfig } from "./frontend-config.ts";

export interface CustomObject extends KubernetesObject {
  spec?: unknown;
  status?: unknown;
}

/** Called on changes in the cluster. */
export interface Handlers {
  ingress(ingress: V1Ingress): void;
  ingressGone(ingress: V1Ingress): void;
  service(service: V1Service): void;
  endpointSlice(slice: V1EndpointSlice): void;
  backendConfig(config: CustomObject): void;
  frontendConfig(config: CustomObject): void;
  /** Also called after a deletion. */
  managedCertificate(certificate: CustomObject): void;
}

type Cache<T extends KubernetesObject> = Informer<T> & ObjectCache<T>;

/** Watch-based caches of the cluster's objects, without Secrets, as in GKE. */
export class Store {
  readonly #ingresses: Cache<V1Ingress>;
  readonly #services: Cache<V1Service>;
  readonly #endpointSlices: Cache<V1EndpointSlice>;
  readonly #backendConfigs: Cache<CustomObject>;
  readonly #frontendConfigs: Cache<CustomObject>;
  readonly #managedCertificates: Cache<CustomObject>;
  /** The results of our own writes by UID. They are newer than the cache until the watch receives them. */
  readonly #written = new Map<string, V1Ingress>();
  readonly #stopped = new AbortController();

  constructor(kubeConfig: KubeConfig) {
    const core = kubeConfig.makeApiClient(CoreV1Api);
    const networking = kubeConfig.makeApiClient(NetworkingV1Api);
    const discovery = kubeConfig.makeApiClient(DiscoveryV1Api);
    const custom = kubeConfig.makeApiClient(CustomObjectsApi);
    const cache = <T extends KubernetesObject>(path: string, list: () => Promise<KubernetesListObject<T>>) =>
      makeInformer(kubeConfig, path, list);
    this.#ingresses = cache("/apis/networking.k8s.io/v1/ingresses", () =>
      networking.listIngressForAllNamespaces(),
    );
    this.#services = cache("/api/v1/services", () => core.listServiceForAllNamespaces());
    this.#endpointSlices = cache("/apis/discovery.k8s.io/v1/endpointslices", () =>
      discovery.listEndpointSliceForAllNamespaces(),
    );
    this.#backendConfigs = cache<CustomObject>("/apis/cloud.google.com/v1/backendconfigs", () =>
      custom.listCustomObjectForAllNamespaces({
        group: "cloud.google.com",
        version: "v1",
        resourcePlural: "backendconfigs",
      }),
    );
    this.#frontendConfigs = cache<CustomObject>("/apis/networking.gke.io/v1beta1/frontendconfigs", () =>
      custom.listCustomObjectForAllNamespaces({
        group: "networking.gke.io",
        version: "v1beta1",
        resourcePlural: "frontendconfigs",
      }),
    );
    this.#managedCertificates = cache<CustomObject>("/apis/networking.gke.io/v1/managedcertificates", () =>
      custom.listCustomObjectForAllNamespaces({
        group: "networking.gke.io",
        version: "v1",
        resourcePlural: "managedcertificates",
      }),
    );
  }

  /**
   * Starts the watches and waits until the caches are full. Ingresses are last because their handlers use the
   * rest.
   */
  async start(handlers: Handlers): Promise<void> {
    // ingress-gce does not react to the deletion of a Service.
    this.#services.on("add", handlers.service);
    this.#services.on("update", handlers.service);
    this.#endpointSlices.on("change", handlers.endpointSlice);
    this.#backendConfigs.on("change", handlers.backendConfig);
    this.#frontendConfigs.on("change", handlers.frontendConfig);
    this.#managedCertificates.on("change", handlers.managedCertificate);
    this.#ingresses.on("add", handlers.ingress);
    this.#ingresses.on("update", handlers.ingress);
    this.#ingresses.on("delete", (ingress) => {
      this.#written.delete(ingress.metadata?.uid ?? "");
      handlers.ingressGone(ingress);
    });
    const keep = <T extends KubernetesObject>(cache: Cache<T>) =>
      keepInformed(cache, "ingress controller", this.#stopped.signal);
    await Promise.all([
      keep(this.#services),
      keep(this.#endpointSlices),
      keep(this.#backendConfigs),
      keep(this.#frontendConfigs),
      keep(this.#managedCertificates),
    ]);
    await keep(this.#ingresses);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([
      this.#ingresses.stop(),
      this.#services.stop(),
      this.#endpointSlices.stop(),
      this.#backendConfigs.stop(),
      this.#frontendConfigs.stop(),
      this.#managedCertificates.stop(),
    ]);
  }

  ingresses(): readonly V1Ingress[] {
    return this.#ingresses.list();
  }

  ingress(key: string): V1Ingress | undefined {
    const [namespace = "", name = ""] = key.split("/");
    const cached = this.#ingresses.get(name, namespace);
    if (!cached) return undefined;
    const written = this.#written.get(cached.metadata?.uid ?? "");
    return written && version(written) > version(cached) ? written : cached;
  }

  /** Stores the result of a write. */
  wrote(ingress: V1Ingress): void {
    this.#written.set(ingress.metadata?.uid ?? "", ingress);
  }

  service(namespace: string, name: string): V1Service | undefined {
    return this.#services.get(name, namespace);
  }

  backendConfig(namespace: string, name: string): BackendConfig | undefined {
    const found = this.#backendConfigs.get(name, namespace);
    return found && parseBackendConfig(namespace, name, found.spec);
  }

  frontendConfig(namespace: string, name: string): FrontendConfig | undefined {
    const found = this.#frontendConfigs.get(name, namespace);
    return found && parseFrontendConfig(found.spec);
  }

  managedCertificates(): readonly CustomObject[] {
    return this.#managedCertificates.list();
  }

  managedCertificate(key: string): CustomObject | undefined {
    const [namespace = "", name = ""] = key.split("/");
    return this.#managedCertificates.get(name, namespace);
  }

  /** Number of pods behind a port of a Service, ready or not. */
  endpoints(namespace: string, service: string, portName: string): number {
    return this.#slices(namespace, service)
      .filter((slice) => slice.ports?.some((port) => (port.name ?? "") === portName))
      .flatMap((slice) => slice.endpoints ?? [])
      .filter((endpoint) => endpoint.conditions?.terminating !== true)
      .reduce((sum, endpoint) => sum + endpoint.addresses.length, 0);
  }

  /** The container's port behind a Service's port; undefined without a pod. */
  containerPort(namespace: string, service: string, portName: string): number | undefined {
    const ports = this.#slices(namespace, service).flatMap((slice) => slice.ports ?? []);
    return ports.find((port) => (port.name ?? "") === portName)?.port;
  }

  #slices(namespace: string, service: string): V1EndpointSlice[] {
    const slices = this.#endpointSlices.list(namespace);
    return slices.filter((slice) => slice.metadata?.labels?.["kubernetes.io/service-name"] === service);
  }
}

function version(ingress: V1Ingress): bigint {
  return BigInt(ingress.metadata?.resourceVersion ?? "0");
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiException && error.code === 404;
}
