import {
  ApiException,
  type CoreV1Api,
  type NetworkingV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Ingress,
  type V1Secret,
} from "@kubernetes/client-node";
import { messageOf } from "../../src/base/errors.ts";
import type { KeyPair } from "../certificate-authority.ts";
import type { BackendService, Cloud } from "../cloud.ts";
import { FINALIZER, frontendConfigName, googleClass, isInternal, STATUS_PREFIX } from "./annotations.ts";
import { healthCheck } from "./backend-config.ts";
import type { Compute } from "./compute.ts";
import type { EventRecorder, EventType, InvolvedObject } from "./events.ts";
import { type Frontends, ingressKey } from "./frontend.ts";
import type { FrontendConfig } from "./frontend-config.ts";
import type { ClusterIds } from "./names.ts";
import type { NegController } from "./neg.ts";
import { Retry } from "./queue.ts";
import { isNotFound, type Store } from "./store.ts";
import { type Timing, until } from "./timing.ts";
import {
  DEFAULT_BACKEND,
  referencedServices,
  type ServicePort,
  type Translation,
  translate,
} from "./translate.ts";

const MERGE_PATCH = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

const NO_FRONTEND_CONFIG = "no FrontendConfig for Ingress exists.";

// Google's default.
const BACKEND_TIMEOUT_SEC = 30;

export interface SyncContext {
  ids: ClusterIds;
  store: Store;
  cloud: Cloud;
  compute: Compute;
  frontends: Frontends;
  negs: NegController;
  events: EventRecorder;
  timing: Timing;
  networking: NetworkingV1Api;
  core: CoreV1Api;
  stopped: AbortSignal;
}

/** Syncs Ingresses with the cloud, in the order of ingress-gce. */
export class IngressSync {
  readonly #context: SyncContext;
  readonly #backends = new Map<string, ServicePort[]>();
  /** Creation time of each load balancer. */
  readonly #created = new Map<string, number>();
  /** Aborts the wait for an address. */
  readonly #waits = new Map<string, AbortController>();
  /** The last version of each Ingress, for the clean-up after its deletion. */
  readonly #lastSeen = new Map<string, V1Ingress>();

  constructor(context: SyncContext) {
    this.#context = context;
  }

  /** Aborts the wait for an Ingress's address. The next sync waits for the remaining time. */
  interrupt(key: string): void {
    this.#waits.get(key)?.abort();
  }

  interruptAll(): void {
    for (const wait of this.#waits.values()) wait.abort();
  }

  /**
   * @throws Retry if the sync failed and an event reports it; other errors if the API server refuses a
   *   request
   */
  async sync(key: string): Promise<void> {
    const wait = new AbortController();
    this.#waits.set(key, wait);
    try {
      const ingress = this.#context.store.ingress(key);
      if (ingress && googleClass(ingress) && !ingress.metadata?.deletionTimestamp) {
        this.#lastSeen.set(key, ingress);
        await this.#syncLive(await this.#ensureFinalizer(ingress), wait.signal);
      } else {
        await this.#cleanUp(key, ingress);
      }
    } catch (error) {
      // The Ingress was changed or deleted during a write. The retry reads the new state.
      if (error instanceof ApiException && (error.code === 404 || error.code === 409)) {
        throw new Retry(messageOf(error), { cause: error });
      }
      throw error;
    } finally {
      this.#waits.delete(key);
    }
  }

  async #syncLive(ingress: V1Ingress, interrupted: AbortSignal): Promise<void> {
    const { store, ids, negs } = this.#context;
    const key = ingressKey(ingress);
    const translation = translate(ingress, {
      ids,
      service: (namespace, name) => store.service(namespace, name),
      backendConfig: (namespace, name) => store.backendConfig(namespace, name),
    });
    // The NEG controller is independent and does not need a valid Ingress.
    const groups = negs.sync(key, translation.servicePorts, referencedServices(ingress));
    try {
      if (translation.errors.length > 0) {
        const message = `Translation failed: invalid ingress spec: ${translation.errors.join("; ")}`;
        this.#record(ingress, "Warning", "Translate", message);
        throw new Retry(message);
      }
      await this.#program(ingress, translation, interrupted);
    } finally {
      await groups;
    }
  }

  async #program(ingress: V1Ingress, translation: Translation, interrupted: AbortSignal): Promise<void> {
    let routine = "backend syncing";
    let frontendConfig: FrontendConfig | "missing" | undefined;
    try {
      await this.#syncBackends(ingress, translation.servicePorts);
      routine = "load balancer syncing";
      const keyPairs = await this.#keyPairs(ingress);
      frontendConfig = this.#frontendConfig(ingress);
      const frontend = await this.#context.frontends.ensure(ingress, {
        rules: translation.rules,
        keyPairs,
        frontendConfig: frontendConfig === "missing" ? undefined : frontendConfig,
        record: (message, type = "Normal", reason = "Sync") => this.#record(ingress, type, reason, message),
      });
      routine = "post-process";
      if (!(await this.#addressIsDue(ingressKey(ingress), interrupted))) return;
      const withAddress = await this.#writeAddress(ingress, frontend.address);
      const backends = { [`${STATUS_PREFIX}backends`]: this.#backendStates(translation.servicePorts) };
      await this.#writeAnnotations(withAddress, { ...frontend.annotations, ...backends });
    } catch (error) {
      if (this.#context.stopped.aborted) return;
      const message = `Error syncing to GCP: error running ${routine} routine: ${messageOf(error)}`;
      this.#record(ingress, "Warning", "Sync", message);
      throw new Retry(message, { cause: error });
    } finally {
      this.#collectBackends();
    }
    // A missing FrontendConfig does not block the sync, but the sync counts as failed.
    if (frontendConfig === "missing") throw new Retry(NO_FRONTEND_CONFIG);
  }

  async #syncBackends(ingress: V1Ingress, ports: ServicePort[]): Promise<void> {
    const { cloud, negs } = this.#context;
    this.#backends.set(ingressKey(ingress), ports);
    for (const port of ports) await this.#ensureBackend(port, isInternal(ingress));
    for (const port of ports) {
      if (!port.neg || negs.exists(port.backend)) continue;
      const resource = `projects/${cloud.projectId}/zones/${cloud.zone}/networkEndpointGroups/${port.backend}`;
      throw new Error(`googleapi: Error 404: The resource '${resource}' was not found, notFound`);
    }
  }

  async #ensureBackend(port: ServicePort, internal: boolean): Promise<void> {
    const { cloud, compute } = this.#context;
    const backend = this.#backendService(port, internal);
    await compute.insert(`health check ${port.backend}`);
    const resource = `backend service ${port.backend}`;
    if (!compute.has(resource) && cloud.hasFaultIn(port.namespace, "backend-service-quota")) {
      throw new Error(
        "googleapi: Error 403: Quota 'BACKEND_SERVICES' exceeded. Limit: 5.0 globally., quotaExceeded",
      );
    }
    await compute.insert(resource);
    this.#checkSecurityPolicy(port, internal);
    // The default backend is not part of the data path.
    if (isSystemDefault(port)) return;
    if (JSON.stringify(cloud.backends.get(port.backend)) !== JSON.stringify(backend))
      cloud.setBackend(backend);
  }

  #checkSecurityPolicy(port: ServicePort, internal: boolean): void {
    const { cloud } = this.#context;
    const policy = port.backendConfig?.securityPolicy;
    if (policy === undefined) return;
    if (internal) {
      throw new Error(
        `cloud armor security policies not supported for regional backend service ${port.backend}`,
      );
    }
    if (policy === "" || cloud.securityPolicies.has(policy)) return;
    const resource = `projects/${cloud.projectId}/global/securityPolicies/${policy}`;
    throw new Error(
      `failed to set security policy from "" to "${policy}" for backend service ${port.backend} ` +
        `(${port.namespace}/${port.service}:&ServiceBackendPort{Name:,Number:${port.port},}): ` +
        `googleapi: Error 404: The resource '${resource}' was not found, notFound`,
    );
  }

  #backendService(port: ServicePort, internal: boolean): BackendService {
    const { namespace, service, protocol, backendConfig } = port;
    const targetPort = typeof port.targetPort === "number" ? port.targetPort : port.port;
    // A BackendConfig that names no policy leaves the backend service's own.
    const policy =
      backendConfig?.securityPolicy ?? this.#context.cloud.backends.get(port.backend)?.securityPolicy;
    const servingPort = this.#context.store.containerPort(namespace, service, port.portName) ?? targetPort;
    try {
      return {
        name: port.backend,
        namespace,
        service,
        port: port.port,
        ...(internal && { region: this.#context.cloud.region }),
        protocol,
        timeoutSec: backendConfig?.timeoutSec ?? BACKEND_TIMEOUT_SEC,
        healthCheck: healthCheck(backendConfig, { protocol, servingPort, neg: port.neg }),
        ...(policy && { securityPolicy: policy }),
      };
    } catch (error) {
      throw new Error(`error ensuring health check: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Reads the Secrets of spec.tls on every sync because there is no watch on Secrets. */
  async #keyPairs(ingress: V1Ingress): Promise<KeyPair[]> {
    const namespace = ingress.metadata?.namespace ?? "";
    const names = (ingress.spec?.tls ?? []).map((tls) => tls.secretName ?? "");
    const secrets = new Map<string, V1Secret>();
    for (const name of new Set(names)) {
      if (name !== "") secrets.set(name, await this.#secret(namespace, name));
    }
    return names.map((name) => {
      const secret = secrets.get(name);
      if (!secret) throw new Error(`secret "${name}" does not exist`);
      const certificate = secret.data?.["tls.crt"];
      if (certificate === undefined) throw new Error(`secret "${name}" does not specify cert as string data`);
      const privateKey = secret.data?.["tls.key"];
      if (privateKey === undefined) {
        throw new Error(`secret "${name}" does not specify private key as string data`);
      }
      return { certificate: decode(certificate), privateKey: decode(privateKey) };
    });
  }

  async #secret(namespace: string, name: string): Promise<V1Secret> {
    try {
      return await this.#context.core.readNamespacedSecret({ namespace, name });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      throw new Error(`error initializing translator env: secrets "${name}" not found`, { cause: error });
    }
  }

  #frontendConfig(ingress: V1Ingress): FrontendConfig | "missing" | undefined {
    const name = frontendConfigName(ingress);
    if (name === undefined) return undefined;
    const found = this.#context.store.frontendConfig(ingress.metadata?.namespace ?? "", name);
    if (found) return found;
    this.#record(ingress, "Warning", "Sync", `Error: ${NO_FRONTEND_CONFIG}`);
    return "missing";
  }

  /** Waits until the load balancer is old enough to have an address. Returns false on interruption. */
  async #addressIsDue(key: string, interrupted: AbortSignal): Promise<boolean> {
    const created = this.#created.get(key) ?? performance.now();
    this.#created.set(key, created);
    await until(() => created + this.#context.timing.addressDelayMs, interrupted);
    return !interrupted.aborted;
  }

  async #writeAddress(ingress: V1Ingress, address: string): Promise<V1Ingress> {
    if (ingress.status?.loadBalancer?.ingress?.[0]?.ip === address) return ingress;
    const body = { status: { loadBalancer: { ingress: [{ ip: address }] } } };
    const written = await this.#context.networking.patchNamespacedIngressStatus(
      { ...identity(ingress), body },
      MERGE_PATCH,
    );
    this.#context.store.wrote(written);
    this.#record(ingress, "Normal", "IPChanged", `IP is now ${address}`);
    return written;
  }

  async #writeAnnotations(ingress: V1Ingress, wanted: Record<string, string | undefined>): Promise<void> {
    const present = ingress.metadata?.annotations ?? {};
    const changes = Object.entries(wanted).filter(([name, value]) => present[name] !== value);
    if (changes.length === 0) return;
    const annotations = Object.fromEntries(changes.map(([name, value]) => [name, value ?? null]));
    await this.#patch(ingress, { metadata: { annotations } });
  }

  #backendStates(ports: ServicePort[]): string {
    const { cloud } = this.#context;
    const states = ports.map((port) => {
      const backend = cloud.backends.get(port.backend);
      return [port.backend, backend ? cloud.health(backend) : cloud.defaultBackendHealth()];
    });
    return JSON.stringify(Object.fromEntries(states.sort()));
  }

  async #ensureFinalizer(ingress: V1Ingress): Promise<V1Ingress> {
    const finalizers = ingress.metadata?.finalizers ?? [];
    if (finalizers.includes(FINALIZER)) return ingress;
    return this.#writeFinalizers(ingress, [...finalizers, FINALIZER]);
  }

  /** Removes the load balancer of an Ingress that is deleted or belongs to another controller. */
  async #cleanUp(key: string, ingress: V1Ingress | undefined): Promise<void> {
    const { frontends, negs } = this.#context;
    const last = ingress ?? this.#lastSeen.get(key);
    if (!last) return;
    frontends.remove(last);
    this.#created.delete(key);
    this.#backends.delete(key);
    this.#collectBackends();
    const finalizers = ingress?.metadata?.finalizers ?? [];
    if (ingress && finalizers.includes(FINALIZER)) {
      await this.#writeFinalizers(
        ingress,
        finalizers.filter((name) => name !== FINALIZER),
      );
    }
    await negs.sync(key, [], []);
    this.#lastSeen.delete(key);
  }

  /** Deletes the backend services that no Ingress uses. */
  #collectBackends(): void {
    const { cloud, compute } = this.#context;
    const used = new Set([...this.#backends.values()].flat().map(({ backend }) => backend));
    for (const name of cloud.backends.keys()) {
      if (used.has(name)) continue;
      cloud.removeBackend(name);
      compute.delete(`backend service ${name}`);
      compute.delete(`health check ${name}`);
    }
  }

  async #writeFinalizers(ingress: V1Ingress, finalizers: string[]): Promise<V1Ingress> {
    // A merge patch replaces the whole list. The resource version protects other controllers' finalizers.
    const resourceVersion = ingress.metadata?.resourceVersion;
    return this.#patch(ingress, { metadata: { finalizers, resourceVersion } });
  }

  async #patch(ingress: V1Ingress, body: object): Promise<V1Ingress> {
    const written = await this.#context.networking.patchNamespacedIngress(
      { ...identity(ingress), body },
      MERGE_PATCH,
    );
    this.#context.store.wrote(written);
    return written;
  }

  #record(ingress: V1Ingress, type: EventType, reason: string, message: string): void {
    this.#context.events.record(involvedObject(ingress), type, reason, message);
  }
}

/** Identifies an Ingress in an event. */
export function involvedObject(ingress: V1Ingress): InvolvedObject {
  const { uid = "", resourceVersion = "" } = ingress.metadata ?? {};
  return { apiVersion: "networking.k8s.io/v1", kind: "Ingress", ...identity(ingress), uid, resourceVersion };
}

function identity(ingress: V1Ingress): { namespace: string; name: string } {
  return { namespace: ingress.metadata?.namespace ?? "", name: ingress.metadata?.name ?? "" };
}

function isSystemDefault(port: ServicePort): boolean {
  return port.namespace === DEFAULT_BACKEND.namespace && port.service === DEFAULT_BACKEND.name;
}

function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString();
}
