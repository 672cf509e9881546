import { EventEmitter, once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:tls";
import {
  CoreV1Api,
  type KubeConfig,
  KubernetesObjectApi,
  NetworkingV1Api,
  PatchStrategy,
  type V1Ingress,
} from "@kubernetes/client-node";
import * as v from "valibot";
import { expect, vi } from "vitest";
import { Cloud } from "../../../local-gke/cloud.ts";
import { kubeConfigFrom } from "../../../local-gke/control-plane/client.ts";
import { type Controllers, startControllers, type Timing } from "../../../local-gke/ingress/controllers.ts";
import type { Endpoint, Endpoints } from "../../../local-gke/load-balancer/endpoints.ts";
import { serveLoadBalancers } from "../../../local-gke/load-balancer/load-balancers.ts";
import { aControlPlane } from "../../support/control-plane.ts";

// Far more than anything takes.
const LIMIT_MS = 100_000;

const ManagedCertificate = v.object({
  metadata: v.object({ managedFields: v.array(v.object({ manager: v.string() })) }),
  status: v.optional(
    v.object({
      certificateName: v.string(),
      certificateStatus: v.string(),
      domainStatus: v.array(v.object({ domain: v.string(), status: v.string() })),
      expireTime: v.optional(v.string()),
    }),
  ),
});

/** What a client of a load balancer saw of its certificate. */
export interface Presented {
  subject: string;
  /** Whether it is for the name asked for and the public authority has signed it. */
  trusted: boolean;
}

class NoEndpoints extends EventEmitter<{ change: [] }> implements Endpoints {
  of(): Endpoint[] {
    return [];
  }
}

/** A control plane with Google's controllers and data path, in front of no pod. */
export class LoadBalancerLab {
  readonly cloud: Cloud;
  readonly controllers: Controllers;
  readonly #objects: KubernetesObjectApi;
  readonly #networking: NetworkingV1Api;
  readonly #core: CoreV1Api;
  readonly #stops: (() => Promise<void>)[];

  private constructor(
    kubeConfig: KubeConfig,
    cloud: Cloud,
    controllers: Controllers,
    stops: (() => Promise<void>)[],
  ) {
    this.cloud = cloud;
    this.controllers = controllers;
    this.#objects = KubernetesObjectApi.makeApiClient(kubeConfig);
    this.#networking = kubeConfig.makeApiClient(NetworkingV1Api);
    this.#core = kubeConfig.makeApiClient(CoreV1Api);
    this.#stops = stops;
  }

  /** @param network as of {@link Cloud} */
  static async start(network: string, timing: Partial<Timing>): Promise<LoadBalancerLab> {
    const { kubeconfig, stop } = await aControlPlane();
    const stops = [stop];
    const cloud = new Cloud(network);
    const loadBalancers = await serveLoadBalancers(cloud, new NoEndpoints());
    stops.push(loadBalancers.stop);
    const controllers = await startControllers({ kubeconfig, cloud, timing });
    stops.push(controllers.stop);
    const kubeConfig = kubeConfigFrom(kubeconfig);
    return new LoadBalancerLab(kubeConfig, cloud, controllers, stops);
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.toReversed()) await stop();
  }

  /** Makes a namespace with a Service `milvus` in it. */
  async namespace(name: string): Promise<Namespace> {
    await this.#core.createNamespace({ body: { metadata: { name } } });
    const namespace = new Namespace(name, this.#objects, this.#networking, this.#core);
    await namespace.create("v1", "Service", "milvus", {
      metadata: { annotations: { "cloud.google.com/neg": '{"ingress":true}' } },
      spec: { ports: [{ name: "milvus", port: 19530 }] },
    });
    return namespace;
  }

  /** Makes a TLS connection and returns what was presented. @throws Error when the handshake fails */
  async handshake(address: string, servername: string): Promise<Presented> {
    const ca = this.controllers.publicAuthority;
    const socket = connect({ host: address, port: 443, servername, ca, rejectUnauthorized: false });
    try {
      await once(socket, "secureConnect", { signal: AbortSignal.timeout(LIMIT_MS) });
      const subject = socket.getPeerX509Certificate()?.subject ?? "";
      return { subject, trusted: socket.authorized };
    } finally {
      socket.destroy();
    }
  }
}

/** What is in one namespace, seen and changed from outside. */
export class Namespace {
  readonly name: string;
  readonly #objects: KubernetesObjectApi;
  readonly #networking: NetworkingV1Api;
  readonly #core: CoreV1Api;

  constructor(name: string, objects: KubernetesObjectApi, networking: NetworkingV1Api, core: CoreV1Api) {
    this.name = name;
    this.#objects = objects;
    this.#networking = networking;
    this.#core = core;
  }

  async create(
    apiVersion: string,
    kind: string,
    name: string,
    object: { metadata?: object; [field: string]: unknown },
  ): Promise<void> {
    const metadata = { ...object.metadata, name, namespace: this.name };
    await this.#objects.create({ apiVersion, kind, ...object, metadata });
  }

  async patch(
    apiVersion: string,
    kind: string,
    name: string,
    object: { metadata?: object; [field: string]: unknown },
  ): Promise<void> {
    const metadata = { ...object.metadata, name, namespace: this.name };
    const patch = { apiVersion, kind, ...object, metadata };
    const options = [undefined, undefined, undefined, undefined, PatchStrategy.MergePatch] as const;
    await this.#objects.patch(patch, ...options);
  }

  async delete(apiVersion: string, kind: string, name: string): Promise<void> {
    await this.#objects.delete({ apiVersion, kind, metadata: { name, namespace: this.name } });
  }

  /**
   * Creates an Ingress that leads a host to the Service, by HTTPS only unless its annotations say otherwise.
   */
  async createIngress(
    name: string,
    host: string,
    options: { annotations?: Record<string, string>; secret?: string } = {},
  ): Promise<void> {
    const { annotations = {}, secret } = options;
    const service = { name: "milvus", port: { number: 19530 } };
    const paths = [{ path: "/", pathType: "Prefix", backend: { service } }];
    await this.create("networking.k8s.io/v1", "Ingress", name, {
      metadata: {
        annotations: {
          "kubernetes.io/ingress.class": "gce",
          "kubernetes.io/ingress.allow-http": "false",
          ...annotations,
        },
      },
      spec: { rules: [{ host, http: { paths } }], ...(secret && { tls: [{ secretName: secret }] }) },
    });
  }

  async annotateIngress(name: string, annotations: Record<string, string | null>): Promise<void> {
    await this.patch("networking.k8s.io/v1", "Ingress", name, { metadata: { annotations } });
  }

  async createManagedCertificate(name: string, domains: string[]): Promise<void> {
    await this.create("networking.gke.io/v1", "ManagedCertificate", name, { spec: { domains } });
  }

  async ingress(name: string): Promise<V1Ingress> {
    return this.#networking.readNamespacedIngress({ namespace: this.name, name });
  }

  async annotation(ingress: string, name: string): Promise<string | undefined> {
    return (await this.ingress(ingress)).metadata?.annotations?.[name];
  }

  async managedCertificate(name: string): Promise<v.InferOutput<typeof ManagedCertificate>> {
    const metadata = { name, namespace: this.name };
    const kind = { apiVersion: "networking.gke.io/v1", kind: "ManagedCertificate" };
    return v.parse(ManagedCertificate, await this.#objects.read({ ...kind, metadata }));
  }

  /** Returns `certificateStatus: domain=status ...` of a ManagedCertificate. */
  async certificateStatus(name: string): Promise<string> {
    const { status } = await this.managedCertificate(name);
    const domains = status?.domainStatus.map((domain) => `${domain.domain}=${domain.status}`) ?? [];
    return `${status?.certificateStatus}: ${domains.join(" ")}`;
  }

  /** Returns the events of an object as `type reason: message`. */
  async events(kind: string, name: string): Promise<string[]> {
    const fieldSelector = `involvedObject.kind=${kind},involvedObject.name=${name}`;
    const { items } = await this.#core.listNamespacedEvent({ namespace: this.name, fieldSelector });
    return items.map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
  }

  /** Resolves to the address of an Ingress's load balancer as soon as it has one. */
  async address(ingress: string): Promise<string> {
    return eventually(async () => {
      const address = (await this.ingress(ingress)).status?.loadBalancer?.ingress?.[0]?.ip;
      if (address === undefined) throw new Error(`${ingress} has no address`);
      return address;
    });
  }

  /** Resolves as soon as an event of an object matches. */
  async hasEvent(kind: string, name: string, event: RegExp): Promise<void> {
    await eventually(async () =>
      expect(await this.events(kind, name)).toContainEqual(expect.stringMatching(event)),
    );
  }
}

/** Sends a request without TLS and returns status and `location` of the answer. */
export async function plainRequest(
  address: string,
  host: string,
  path: string,
): Promise<{ status: number | undefined; location: string | undefined }> {
  const response = Promise.withResolvers<IncomingMessage>();
  get({ host: address, path, headers: { host } }, response.resolve).once("error", response.reject);
  const { statusCode, headers } = (await response.promise).resume();
  return { status: statusCode, location: headers.location };
}

/** Repeats an assertion until it holds, within a limit that is far more than it takes. */
export function eventually<T>(assertion: () => Promise<T>): Promise<T> {
  return vi.waitFor(assertion, { timeout: LIMIT_MS, interval: 25 });
}
