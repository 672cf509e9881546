import {
  ApiException,
  CoreV1Api,
  CustomObjectsApi,
  type KubeConfig,
  NetworkingV1Api,
  type V1EndpointSlice,
  type V1Ingress,
} from "@kubernetes/client-node";
import type { Cloud, Fault } from "../cloud.ts";
import { kubeConfigFrom } from "../control-plane/client.ts";
import { makePublicAuthority } from "../managed-certificates/authority.ts";
import { type Entry, ManagedCertificateController } from "../managed-certificates/controller.ts";
import { startProvisioning } from "../managed-certificates/provisioning.ts";
import { backendConfigName, FINALIZER, frontendConfigName, googleClass } from "./annotations.ts";
import { Compute } from "./compute.ts";
import { createCrds, deleteCrds } from "./crds.ts";
import { EventRecorder } from "./events.ts";
import { Frontends, ingressKey } from "./frontend.ts";
import { clusterIds } from "./names.ts";
import { NegController } from "./neg.ts";
import { WorkQueue } from "./queue.ts";
import { isNotFound, Store } from "./store.ts";
import { IngressSync, involvedObject } from "./sync.ts";
import { DEFAULT_TIMING, type Timing } from "./timing.ts";
import { DEFAULT_BACKEND, referencedServices } from "./translate.ts";

export type { Timing } from "./timing.ts";

const POLL_MS = 25;

export interface Controllers {
  /** May change at any time. */
  timing: Timing;
  /** The CA of the managed certificates, as PEM. */
  publicAuthority: string;
  /** Stops the controllers and aborts their waits. */
  stop(): Promise<void>;
}

/**
 * Starts the stand-ins for GKE's ingress, NEG and managed-certificate controllers on a cluster, and the issue
 * of managed certificates. Creates GKE's CRDs and default backend. Resolves when the controllers run.
 *
 * While the fault `no-ingress-controller` is on, the controllers and CRDs are missing, as on a cluster
 * without the add-on HttpLoadBalancing.
 *
 * @throws Error if the API server is unreachable or refuses the CRDs
 */
export async function startControllers(options: {
  kubeconfig: string;
  cloud: Cloud;
  timing?: Partial<Timing>;
}): Promise<Controllers> {
  const { cloud } = options;
  const kubeConfig = kubeConfigFrom(options.kubeconfig);
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const authority = await makePublicAuthority();
  const provisioning = startProvisioning({ cloud, timing, authority });
  const entries = new Map<string, Entry>();
  let running: ControllerSet | undefined;

  const followFault = async () => {
    const wanted = !cloud.faults.has("no-ingress-controller");
    if (wanted && !running) running = await ControllerSet.start(kubeConfig, cloud, timing, entries);
    else if (!wanted && running) {
      await running.stop();
      running = undefined;
      await deleteCrds(kubeConfig);
    }
  };
  let following = followFault();
  await following;
  const onFault = (fault: Fault) => {
    if (fault !== "no-ingress-controller") return;
    following = following
      .then(followFault)
      .catch((error: unknown) =>
        console.error("the ingress controller could not be switched on or off:", error),
      );
  };
  cloud.on("fault", onFault);

  return {
    timing,
    publicAuthority: authority.certificate,
    async stop() {
      cloud.off("fault", onFault);
      await following;
      await Promise.all([running?.stop(), provisioning.stop()]);
    },
  };
}

/** The controllers, from one start to one stop. */
class ControllerSet {
  readonly #store: Store;
  readonly #events: EventRecorder;
  readonly #negEvents: EventRecorder;
  readonly #certificateEvents: EventRecorder;
  readonly #negs: NegController;
  readonly #certificates: ManagedCertificateController;
  readonly #sync: IngressSync;
  readonly #queue: WorkQueue;
  readonly #timing: Timing;
  readonly #abort: AbortController;
  #resync: NodeJS.Timeout | undefined;

  static async start(
    kubeConfig: KubeConfig,
    cloud: Cloud,
    timing: Timing,
    entries: Map<string, Entry>,
  ): Promise<ControllerSet> {
    const abort = new AbortController();
    const core = kubeConfig.makeApiClient(CoreV1Api);
    const [uid] = await Promise.all([
      kubeSystemUid(core).then(async (found) => {
        await createDefaultBackend(core);
        return found;
      }),
      createCrds(kubeConfig, abort.signal),
    ]);
    const running = new ControllerSet(kubeConfig, core, cloud, timing, entries, uid, abort);
    await running.#start();
    return running;
  }

  private constructor(
    kubeConfig: KubeConfig,
    core: CoreV1Api,
    cloud: Cloud,
    timing: Timing,
    entries: Map<string, Entry>,
    kubeSystemUid: string,
    abort: AbortController,
  ) {
    const ids = clusterIds(kubeSystemUid);
    const store = new Store(kubeConfig);
    const compute = new Compute(timing, abort.signal);
    const networking = kubeConfig.makeApiClient(NetworkingV1Api);
    this.#store = store;
    this.#timing = timing;
    this.#abort = abort;
    this.#events = new EventRecorder(core, "loadbalancer-controller");
    this.#negEvents = new EventRecorder(core, "neg-controller");
    this.#negs = new NegController({
      api: core,
      events: this.#negEvents,
      inventory: store,
      timing,
      zone: cloud.zone,
      stopped: abort.signal,
    });
    this.#sync = new IngressSync({
      ids,
      store,
      cloud,
      compute,
      frontends: new Frontends(cloud, compute, ids),
      negs: this.#negs,
      events: this.#events,
      timing,
      networking,
      core,
      stopped: abort.signal,
    });
    this.#certificateEvents = new EventRecorder(core, "managed-certificate-controller");
    this.#certificates = new ManagedCertificateController({
      store,
      cloud,
      compute,
      events: this.#certificateEvents,
      timing,
      networking,
      custom: kubeConfig.makeApiClient(CustomObjectsApi),
      entries,
      stopped: abort.signal,
    });
    this.#queue = new WorkQueue(
      (key) => this.#sync.sync(key),
      () => timing.backoffBaseMs,
    );
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#resync);
    this.#sync.interruptAll();
    await this.#store.stop();
    await Promise.all([this.#queue.stop(), this.#negs.stop(), this.#certificates.stop()]);
    const recorders = [this.#events, this.#negEvents, this.#certificateEvents];
    await Promise.all(recorders.map((recorder) => recorder.flush()));
  }

  async #start(): Promise<void> {
    await this.#store.start({
      ingress: (ingress) => this.#onIngress(ingress),
      // Something is left to clean up only if somebody removed the finalizer by hand.
      ingressGone: (ingress) => this.#enqueue(ingress),
      service: (service) => {
        const { namespace = "", name = "" } = service.metadata ?? {};
        this.#enqueueUsers((ingress) => refersTo(ingress, namespace, name));
      },
      backendConfig: (config) => {
        const { namespace = "", name = "" } = config.metadata ?? {};
        this.#enqueueUsers((ingress) => this.#usesBackendConfig(ingress, namespace, name));
      },
      frontendConfig: (config) => {
        const { namespace = "", name = "" } = config.metadata ?? {};
        this.#enqueueUsers(
          (ingress) => ingress.metadata?.namespace === namespace && frontendConfigName(ingress) === name,
        );
      },
      managedCertificate: ({ metadata }) =>
        this.#certificates.certificateChanged(`${metadata?.namespace}/${metadata?.name}`),
      endpointSlice: (slice) => this.#onEndpointSlice(slice),
    });
    // Handles what was deleted while the controllers were off.
    this.#certificates.resync();
    this.#resyncLater();
  }

  #onIngress(ingress: V1Ingress): void {
    this.#certificates.ingressChanged(ingressKey(ingress));
    if (googleClass(ingress))
      this.#events.record(involvedObject(ingress), "Normal", "Sync", "Scheduled for sync");
    // An Ingress that has left our class and still has our finalizer needs a clean-up.
    else if (!ingress.metadata?.finalizers?.includes(FINALIZER)) return;
    this.#enqueue(ingress);
  }

  #onEndpointSlice(slice: V1EndpointSlice): void {
    const service = slice.metadata?.labels?.["kubernetes.io/service-name"];
    if (service !== undefined) this.#negs.syncEndpoints(slice.metadata?.namespace ?? "", service);
  }

  #enqueueUsers(isUser: (ingress: V1Ingress) => boolean): void {
    for (const ingress of this.#store.ingresses()) {
      if (googleClass(ingress) && isUser(ingress)) this.#enqueue(ingress);
    }
  }

  #enqueue(ingress: V1Ingress): void {
    const key = ingressKey(ingress);
    this.#sync.interrupt(key);
    this.#queue.add(key);
  }

  #usesBackendConfig(ingress: V1Ingress, namespace: string, name: string): boolean {
    if (ingress.metadata?.namespace !== namespace) return false;
    return referencedServices(ingress).some((reference) => {
      const service = this.#store.service(namespace, reference.name);
      return service?.spec?.ports?.some((port) => {
        try {
          return backendConfigName(service, port.name ?? "", port.port) === name;
        } catch {
          // An invalid annotation refers to no BackendConfig. The sync reports it.
          return false;
        }
      });
    });
  }

  #resyncLater(): void {
    this.#resync = setTimeout(() => {
      for (const ingress of this.#store.ingresses()) if (googleClass(ingress)) this.#onIngress(ingress);
      this.#certificates.resync();
      this.#resyncLater();
    }, this.#timing.resyncMs);
  }
}

function refersTo(ingress: V1Ingress, namespace: string, service: string): boolean {
  return referencedServices(ingress).some(
    (reference) => reference.namespace === namespace && reference.name === service,
  );
}

/** Waits until the API server has created the namespace. */
async function kubeSystemUid(core: CoreV1Api): Promise<string> {
  for (;;) {
    try {
      const namespace = await core.readNamespace({ name: DEFAULT_BACKEND.namespace });
      return namespace.metadata?.uid ?? "";
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

async function createDefaultBackend(core: CoreV1Api): Promise<void> {
  const { namespace, name, port } = DEFAULT_BACKEND;
  const selector = { "k8s-app": "glbc", name: "glbc" };
  try {
    await core.createNamespacedService({
      namespace,
      body: {
        metadata: { name, labels: { "k8s-app": "glbc", "kubernetes.io/name": "GLBCDefaultBackend" } },
        spec: { type: "NodePort", selector, ports: [{ name: "http", port, targetPort: "http" }] },
      },
    });
  } catch (error) {
    if (!(error instanceof ApiException && error.code === 409)) throw error;
  }
}
