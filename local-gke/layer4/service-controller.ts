import {
  ApiException,
  CoreV1Api,
  type Informer,
  makeInformer,
  type ObjectCache,
  PatchStrategy,
  setHeaderOptions,
  type V1Service,
} from "@kubernetes/client-node";
import type { Cloud } from "../cloud.ts";
import { kubeConfigFrom } from "../control-plane/client.ts";
import { keepInformed } from "../control-plane/informer.ts";
import { EventRecorder, type InvolvedObject } from "../ingress/events.ts";
import { WorkQueue } from "../ingress/queue.ts";
import type { Endpoints } from "../load-balancer/endpoints.ts";
import { PassthroughLoadBalancer } from "./passthrough-load-balancer.ts";

/** Keeps a Service until its load balancer is gone (k8s.io/cloud-provider/service/helpers, helper.go). */
const FINALIZER = "service.kubernetes.io/load-balancer-cleanup";
const BACKOFF_MS = 50;

const MERGE = setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch);

/**
 * Starts the stand-in for GKE's service controller. Each Service of type LoadBalancer gets an address that
 * forwards its ports to its ready pods. Order and events follow k8s.io/cloud-provider
 * (controllers/service/controller.go, syncLoadBalancerIfNeeded).
 *
 * @returns once the existing Services are known; `stop` also closes the addresses
 */
export async function startServiceController(options: {
  kubeconfig: string;
  cloud: Cloud;
  endpoints: Endpoints;
}): Promise<{ stop(): Promise<void> }> {
  const config = kubeConfigFrom(options.kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const services = makeInformer(config, "/api/v1/services", () => core.listServiceForAllNamespaces());
  const controller = new ServiceController(core, services, options.cloud, options.endpoints);
  await controller.start();
  return controller;
}

class ServiceController {
  readonly #core: CoreV1Api;
  readonly #services: Informer<V1Service> & ObjectCache<V1Service>;
  readonly #cloud: Cloud;
  readonly #endpoints: Endpoints;
  readonly #events: EventRecorder;
  /** By `namespace/name` of the Service. */
  readonly #loadBalancers = new Map<string, PassthroughLoadBalancer>();
  readonly #queue = new WorkQueue(
    (key) => this.#sync(key),
    () => BACKOFF_MS,
  );
  #turn = 0;
  readonly #stopped = new AbortController();

  constructor(
    core: CoreV1Api,
    services: Informer<V1Service> & ObjectCache<V1Service>,
    cloud: Cloud,
    endpoints: Endpoints,
  ) {
    this.#core = core;
    this.#services = services;
    this.#cloud = cloud;
    this.#endpoints = endpoints;
    this.#events = new EventRecorder(core, "service-controller");
  }

  async start(): Promise<void> {
    this.#services.on("change", ({ metadata }) =>
      this.#queue.add(`${metadata?.namespace}/${metadata?.name}`),
    );
    await keepInformed(this.#services, "service controller", this.#stopped.signal);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#services.stop();
    await this.#queue.stop();
    await Promise.all([...this.#loadBalancers.values()].map((loadBalancer) => loadBalancer.setPorts([])));
    await this.#events.flush();
  }

  async #sync(key: string): Promise<void> {
    const [namespace = "", name = ""] = key.split("/");
    const service = this.#services.get(name, namespace);
    try {
      if (service && wantsLoadBalancer(service)) await this.#ensure(key, service);
      else await this.#ensureDeleted(key, service);
    } catch (error) {
      // The Service was deleted. The watch will report it.
      if (!(error instanceof ApiException && error.code === 404)) throw error;
    }
  }

  async #ensure(key: string, service: V1Service): Promise<void> {
    const { name, namespace, uid } = involvedObject(service);
    const address = this.#cloud.allocateAddress(addressOwner(key));
    const existing = this.#loadBalancers.get(key);
    if (!existing) this.#record(service, "EnsuringLoadBalancer", "Ensuring load balancer");
    if (!service.metadata?.finalizers?.includes(FINALIZER)) {
      const body = { metadata: { uid, finalizers: [FINALIZER] } };
      await this.#core.patchNamespacedService({ name, namespace, body }, MERGE);
    }
    const loadBalancer =
      existing ?? new PassthroughLoadBalancer(address, (port) => this.#podFor(namespace, name, port));
    this.#loadBalancers.set(key, loadBalancer);
    const ports = (service.spec?.ports ?? []).filter(({ protocol = "TCP" }) => protocol === "TCP");
    await loadBalancer.setPorts(ports.map(({ port }) => port));
    if (service.status?.loadBalancer?.ingress?.[0]?.ip !== address) {
      const body = { status: { loadBalancer: { ingress: [{ ip: address, ipMode: "VIP" }] } } };
      await this.#core.patchNamespacedServiceStatus({ name, namespace, body }, MERGE);
    }
    if (!existing) this.#record(service, "EnsuredLoadBalancer", "Ensured load balancer");
  }

  /** @param service undefined if it was deleted without waiting for the finalizer */
  async #ensureDeleted(key: string, service: V1Service | undefined): Promise<void> {
    const loadBalancer = this.#loadBalancers.get(key);
    if (loadBalancer) {
      if (service) this.#record(service, "DeletingLoadBalancer", "Deleting load balancer");
      await loadBalancer.setPorts([]);
      this.#loadBalancers.delete(key);
      this.#cloud.releaseAddress(addressOwner(key));
      if (service) this.#record(service, "DeletedLoadBalancer", "Deleted load balancer");
    }
    if (!service) return;
    const { name, namespace } = involvedObject(service);
    if (service.status?.loadBalancer?.ingress && !service.metadata?.deletionTimestamp) {
      const body = { status: { loadBalancer: { ingress: null } } };
      await this.#core.patchNamespacedServiceStatus({ name, namespace, body }, MERGE);
    }
    if (service.metadata?.finalizers?.includes(FINALIZER)) {
      const body = { metadata: { "$deleteFromPrimitiveList/finalizers": [FINALIZER] } };
      await this.#core.patchNamespacedService({ name, namespace, body }, MERGE);
    }
  }

  #podFor(namespace: string, service: string, port: number): number | undefined {
    const pods = this.#endpoints.of({ namespace, service, port }).filter(({ isReady }) => isReady);
    const pod = pods[this.#turn++ % pods.length];
    return pod?.ports.get(pod.port);
  }

  #record(service: V1Service, reason: string, message: string): void {
    this.#events.record(involvedObject(service), "Normal", reason, message);
  }
}

function wantsLoadBalancer({ spec, metadata }: V1Service): boolean {
  return spec?.type === "LoadBalancer" && !metadata?.deletionTimestamp;
}

/** The prefix distinguishes a Service from an Ingress with the same key. */
function addressOwner(key: string): string {
  return `service ${key}`;
}

function involvedObject({ metadata = {} }: V1Service): InvolvedObject {
  const { namespace = "", name = "", uid = "", resourceVersion = "" } = metadata;
  return { apiVersion: "v1", kind: "Service", namespace, name, uid, resourceVersion };
}
