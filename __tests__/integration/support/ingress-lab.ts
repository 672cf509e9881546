import {
  CoreV1Api,
  type CoreV1Event,
  CustomObjectsApi,
  DiscoveryV1Api,
  type KubeConfig,
  NetworkingV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Ingress,
  type V1Service,
  Watch,
} from "@kubernetes/client-node";
import type { Cloud } from "../../../local-gke/cloud.ts";

const MERGE_PATCH = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
const STATUS_PREFIX = "ingress.kubernetes.io/";

// Far more than any wait takes, however busy the machine is: it ends what would never come.
const LIMIT_MS = 100_000;

export const RELEASE = "my-release-milvus";
export const BACKEND_CONFIG = "my-release-backendconfig";
export const TLS_SECRET = "my-release-milvus-tls";

/** PEM certificate and key. */
export interface KeyPair {
  certificate: string;
  privateKey: string;
}

/** How a scenario's objects differ from those of a release that works. */
export interface Given {
  /** Annotations of the Service, null ones removed; or no Service. */
  service?: Record<string, string | null> | "missing";
  backendConfig?: object | "missing";
  /** Data of the TLS Secret; or no Secret. */
  secret?: Record<string, string> | "missing";
  /** Annotations of the Ingress, null ones removed. */
  ingress?: Record<string, string | null>;
  spec?: { tls?: false; className?: string; path?: string; service?: string; port?: number };
}

/** What was seen of one scenario, with names normalised. */
export interface Recording {
  /**
   * Each event of the Ingress once, in the order of its first appearance; "Scheduled for sync" is left out.
   */
  events: string[];
  /** The Ingress's finalizer, address and status annotations as they changed. */
  changes: string[];
  /** Events and NEG status of the Service. */
  service: string[];
}

const GOOGLES_CONTROLLERS = new Set(["loadbalancer-controller", "neg-controller"]);

/** One namespace of a cluster: acts from outside on what is in it, and records what the controllers write. */
export class Lab {
  readonly cloud: Cloud;
  readonly keyPairs: [KeyPair, KeyPair];
  readonly #namespace: string;
  readonly #core: CoreV1Api;
  readonly #networking: NetworkingV1Api;
  readonly #custom: CustomObjectsApi;
  readonly #discovery: DiscoveryV1Api;
  readonly #watch: Watch;
  readonly #watches: AbortController[] = [];
  readonly #events = new Map<string, { line: string; count: number }>();
  readonly #changes: string[] = [];
  readonly #service: string[] = [];
  /** Names of the objects that a Warning was about. */
  readonly #warned = new Set<string>();
  readonly #checks = new Set<() => void>();
  #canaries = 0;
  #ingress: V1Ingress | undefined;
  #negStatus: string | undefined;

  private constructor(kubeConfig: KubeConfig, cloud: Cloud, keyPairs: [KeyPair, KeyPair], namespace: string) {
    this.cloud = cloud;
    this.keyPairs = keyPairs;
    this.#namespace = namespace;
    this.#core = kubeConfig.makeApiClient(CoreV1Api);
    this.#networking = kubeConfig.makeApiClient(NetworkingV1Api);
    this.#custom = kubeConfig.makeApiClient(CustomObjectsApi);
    this.#discovery = kubeConfig.makeApiClient(DiscoveryV1Api);
    this.#watch = new Watch(kubeConfig);
    // By itself it gives a watch up that is without news for half a minute.
    Object.assign(this.#watch, { requestTimeoutMs: 2 * LIMIT_MS });
  }

  /** Makes a namespace and what a scenario is given, its Ingress last. */
  static async open(
    options: { kubeConfig: KubeConfig; cloud: Cloud; keyPairs: [KeyPair, KeyPair]; namespace: string },
    given: Given,
  ): Promise<Lab> {
    const lab = new Lab(options.kubeConfig, options.cloud, options.keyPairs, options.namespace);
    const { namespace } = options;
    await lab.#core.createNamespace({ body: { metadata: { name: namespace } } });
    await Promise.all([
      lab.#follow<CoreV1Event>(`/api/v1/namespaces/${namespace}/events`, (event) => lab.#onEvent(event)),
      lab.#follow<V1Service>(`/api/v1/namespaces/${namespace}/services`, (service, phase) =>
        lab.#onService(service, phase),
      ),
      lab.#follow<V1Ingress>(
        `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`,
        (ingress, phase) => lab.#onIngress(ingress, phase),
      ),
    ]);
    if (given.service !== "missing") await lab.createService(RELEASE, given.service);
    if (given.backendConfig !== "missing") await lab.createBackendConfig(given.backendConfig);
    if (given.secret !== "missing") await lab.createSecret(given.secret);
    await lab.#createIngress(RELEASE, given);
    return lab;
  }

  /** Ends the recording. */
  close(): void {
    for (const watch of this.#watches) watch.abort();
  }

  recording(): Recording {
    const events = [...this.#events.values()].map(({ line }) => line);
    return { events, changes: [...this.#changes], service: [...this.#service] };
  }

  /** How often an event was counted. */
  count(line: string): number {
    const events = [...this.#events.values()].filter((event) => event.line === line);
    return events.reduce((sum, { count }) => sum + count, 0);
  }

  get address(): string | undefined {
    return this.#ingress?.status?.loadBalancer?.ingress?.[0]?.ip;
  }

  statusAnnotation(name: string): string | undefined {
    return this.#ingress?.metadata?.annotations?.[`${STATUS_PREFIX}${name}`];
  }

  get hasIngress(): boolean {
    return this.#ingress !== undefined;
  }

  get hasNegStatus(): boolean {
    return this.#negStatus !== undefined;
  }

  get loadBalancer() {
    return this.cloud.loadBalancers.get(`${this.#namespace}/${RELEASE}`);
  }

  /**
   * Resolves as soon as something that was seen makes `condition` true.
   *
   * @throws Error with all that was seen when nothing does
   */
  async until(condition: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const check = () => {
        if (!condition()) return;
        this.#checks.delete(check);
        clearTimeout(limit);
        resolve();
      };
      const limit = setTimeout(() => {
        this.#checks.delete(check);
        reject(new Error(`not seen: ${condition}\n${JSON.stringify(this.recording(), undefined, 2)}`));
      }, LIMIT_MS);
      this.#checks.add(check);
      check();
    });
  }

  /**
   * Resolves when the controllers have dealt with an Ingress created now, and so with all that went before.
   */
  async settle(): Promise<void> {
    this.#canaries += 1;
    const name = `canary-${this.#canaries}`;
    await this.#createIngress(name, { spec: { service: "no-such-service" } });
    await this.until(() => this.#warned.has(name));
    await this.#networking.deleteNamespacedIngress({ namespace: this.#namespace, name });
  }

  async createService(name: string, annotations: Record<string, string | null> = {}): Promise<void> {
    const namespace = this.#namespace;
    const standard = {
      "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}',
      "cloud.google.com/backend-config": `{"default":"${BACKEND_CONFIG}"}`,
      "cloud.google.com/neg": '{"ingress":true}',
    };
    // No selector: nobody else then makes endpoints for it.
    await this.#core.createNamespacedService({
      namespace,
      body: {
        metadata: { name, annotations: withoutNulls({ ...standard, ...annotations }) },
        spec: { ports: [{ name: "milvus", port: 19530, targetPort: "milvus" }] },
      },
    });
    await this.#discovery.createNamespacedEndpointSlice({
      namespace,
      body: {
        metadata: { name, labels: { "kubernetes.io/service-name": name } },
        addressType: "IPv4",
        ports: [{ name: "milvus", port: 19530 }],
        endpoints: [{ addresses: ["10.0.0.1"], conditions: { ready: true } }],
      },
    });
  }

  async createBackendConfig(
    spec: object = { healthCheck: { port: 9091, requestPath: "/healthz", type: "HTTP" } },
  ) {
    const body = {
      apiVersion: "cloud.google.com/v1",
      kind: "BackendConfig",
      metadata: { name: BACKEND_CONFIG },
      spec,
    };
    await this.#custom.createNamespacedCustomObject({ ...this.#backendConfigs(), body });
  }

  async createSecret(stringData?: Record<string, string>): Promise<void> {
    const body = { metadata: { name: TLS_SECRET }, stringData: stringData ?? secretData(this.keyPairs[0]) };
    await this.#core.createNamespacedSecret({ namespace: this.#namespace, body });
  }

  async deleteBackendConfig(): Promise<void> {
    await this.#custom.deleteNamespacedCustomObject({ ...this.#backendConfigs(), name: BACKEND_CONFIG });
  }

  async deleteSecret(): Promise<void> {
    await this.#core.deleteNamespacedSecret({ namespace: this.#namespace, name: TLS_SECRET });
  }

  async deleteService(): Promise<void> {
    await this.#core.deleteNamespacedService({ namespace: this.#namespace, name: RELEASE });
  }

  async deleteNamespace(): Promise<void> {
    await this.#core.deleteNamespace({ name: this.#namespace });
  }

  async rotateSecret(): Promise<void> {
    const body = { stringData: secretData(this.keyPairs[1]) };
    await this.#core.patchNamespacedSecret(
      { namespace: this.#namespace, name: TLS_SECRET, body },
      MERGE_PATCH,
    );
  }

  async annotateIngress(annotations: Record<string, string | null>): Promise<void> {
    await this.patchIngress({ metadata: { annotations } });
  }

  async touch(value = "1"): Promise<void> {
    await this.annotateIngress({ "lab/touch": value });
  }

  async patchIngress(body: object): Promise<void> {
    await this.#networking.patchNamespacedIngress(
      { namespace: this.#namespace, name: RELEASE, body },
      MERGE_PATCH,
    );
  }

  async annotateService(annotations: Record<string, string | null>): Promise<void> {
    const body = { metadata: { annotations } };
    await this.#core.patchNamespacedService({ namespace: this.#namespace, name: RELEASE, body }, MERGE_PATCH);
  }

  async patchBackendConfig(spec: object): Promise<void> {
    const body = { spec };
    await this.#custom.patchNamespacedCustomObject(
      { ...this.#backendConfigs(), name: BACKEND_CONFIG, body },
      MERGE_PATCH,
    );
  }

  async deleteIngress(): Promise<void> {
    await this.#networking.deleteNamespacedIngress({ namespace: this.#namespace, name: RELEASE });
    await this.until(() => !this.hasIngress);
  }

  #backendConfigs() {
    const group = { group: "cloud.google.com", version: "v1", plural: "backendconfigs" };
    return { ...group, namespace: this.#namespace };
  }

  async #createIngress(name: string, { ingress, spec = {} }: Given): Promise<void> {
    const standard = { "kubernetes.io/ingress.class": "gce", "kubernetes.io/ingress.allow-http": "false" };
    const service = { name: spec.service ?? RELEASE, port: { number: spec.port ?? 19530 } };
    const path = { path: spec.path ?? "/", pathType: "Prefix", backend: { service } };
    await this.#networking.createNamespacedIngress({
      namespace: this.#namespace,
      body: {
        metadata: { name, annotations: withoutNulls({ ...standard, ...ingress }) },
        spec: {
          ...(spec.className && { ingressClassName: spec.className }),
          ...(spec.tls !== false && { tls: [{ secretName: TLS_SECRET }] }),
          rules: [{ host: "my-release.milvus.io", http: { paths: [path] } }],
        },
      },
    });
  }

  async #follow<T>(path: string, onObject: (object: T, phase: string) => void): Promise<void> {
    const watch = await this.#watch.watch(
      path,
      {},
      (phase, object: T) => {
        onObject(object, phase);
        for (const check of this.#checks) check();
      },
      () => {},
    );
    this.#watches.push(watch);
  }

  #onEvent(event: CoreV1Event): void {
    const { involvedObject, metadata, source, type, reason, message = "", count = 1 } = event;
    // The API server itself has Warnings too, of cluster IPs that it repairs.
    if (!GOOGLES_CONTROLLERS.has(source?.component ?? "")) return;
    if (type === "Warning") this.#warned.add(involvedObject.name ?? "");
    if (involvedObject.name?.startsWith("canary-") || message === "Scheduled for sync") return;
    const line = `${type} ${reason}: ${this.#normalise(message)}`;
    if (involvedObject.kind === "Service") {
      if (!this.#service.includes(line)) this.#service.push(line);
    } else {
      this.#events.set(metadata.name ?? "", { line, count });
    }
  }

  #onService(service: V1Service, phase: string): void {
    const status =
      phase === "DELETED" ? undefined : service.metadata?.annotations?.["cloud.google.com/neg-status"];
    if (status === this.#negStatus) return;
    this.#service.push(`neg-status ${status === undefined ? "removed" : this.#normalise(status)}`);
    this.#negStatus = status;
  }

  #onIngress(ingress: V1Ingress, phase: string): void {
    if (ingress.metadata?.name !== RELEASE) return;
    const before = this.#ingress;
    this.#ingress = phase === "DELETED" ? undefined : ingress;
    if (phase === "DELETED") {
      this.#changes.push("gone");
      return;
    }
    if (!before?.metadata?.deletionTimestamp && ingress.metadata.deletionTimestamp) {
      this.#changes.push("deletionTimestamp set");
    }
    const finalizer = (object?: V1Ingress) => object?.metadata?.finalizers?.join(",") ?? "";
    if (finalizer(before) !== finalizer(ingress))
      this.#changes.push(`finalizer ${finalizer(ingress)}`.trim());
    const address = (object?: V1Ingress) => object?.status?.loadBalancer?.ingress?.[0]?.ip ?? "";
    if (address(before) !== address(ingress)) this.#changes.push("address");
    const changed = annotationChanges(statusAnnotations(before), statusAnnotations(ingress));
    if (changed.length > 0) this.#changes.push(this.#normalise(changed.join(" ")));
  }

  #normalise(text: string): string {
    const namespace = this.#namespace;
    return text
      .replace(/k8s2-cr-[0-9a-z]{8}-[0-9a-z]{16}-[0-9a-f]{16}/g, "k8s2-cr-UID8-HASH16-HASH16")
      .replace(new RegExp(`[0-9a-z]{8}-${namespace}-${RELEASE}-[0-9a-z]{8}(?![0-9a-z])`, "g"), "LB")
      .replace(new RegExp(`k8s1-[0-9a-f]{8}-${namespace}-[a-z-]+-19530-[0-9a-f]{8}`, "g"), "NEG")
      .replace(/k8s-be-[0-9]+--[0-9a-f]{16}/g, "DEFAULT")
      .replace(/127(\.[0-9]+){3}/g, "ADDRESS")
      .replaceAll(namespace, "NS");
  }
}

/** Returns the data of a TLS Secret. */
export function secretData({ certificate, privateKey }: KeyPair): Record<string, string> {
  return { "tls.crt": certificate, "tls.key": privateKey };
}

function statusAnnotations(ingress: V1Ingress | undefined): Map<string, string> {
  const entries = Object.entries(ingress?.metadata?.annotations ?? {});
  const own = entries.filter(([name]) => name.startsWith(STATUS_PREFIX));
  return new Map(own.map(([name, value]) => [name.slice(STATUS_PREFIX.length), value]));
}

function annotationChanges(before: Map<string, string>, now: Map<string, string>): string[] {
  const names = [...new Set([...before.keys(), ...now.keys()])].sort();
  return names
    .filter((name) => before.get(name) !== now.get(name))
    .map((name) => (now.has(name) ? `${name}=${now.get(name)}` : `-${name}`));
}

function withoutNulls(annotations: Record<string, string | null>): Record<string, string> {
  const kept = Object.entries(annotations).flatMap(([name, value]) =>
    value === null ? [] : [[name, value]],
  );
  return Object.fromEntries(kept);
}
