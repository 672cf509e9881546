import {
  ApiException,
  type CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Service,
} from "@kubernetes/client-node";
import { messageOf } from "../../src/base/errors.ts";
import { NEG_STATUS, negForIngress } from "./annotations.ts";
import type { EventRecorder, EventType, InvolvedObject } from "./events.ts";
import { type Timing, until } from "./timing.ts";
import type { ServicePort, ServiceReference } from "./translate.ts";

// A NEG exists this long after the ingress controller's first lookup. This is why every successful sync
// starts with a Warning.
const INSERT_MS = 20;
/** The ingress controller never looks up the NEGs of an invalid Ingress. They exist after this time. */
const UNASKED_MS = 300;
/** Time from the last use of a NEG to its deletion. */
const GARBAGE_COLLECTION_MS = 20_000;

interface Group {
  exists: boolean;
  /** Resolved by the ingress controller's first lookup. */
  lookedUp: PromiseWithResolvers<void>;
  endpoints: number;
  removal: NodeJS.Timeout | undefined;
}

/** The cluster state that the NEG controller needs. */
export interface NegInventory {
  service(namespace: string, name: string): V1Service | undefined;
  /** Number of pods behind a port of a Service, ready or not. */
  endpoints(namespace: string, service: string, portName: string): number;
}

/** The NEG controller: manages network endpoint groups for the Services of Ingresses. */
export class NegController {
  readonly #api: CoreV1Api;
  readonly #events: EventRecorder;
  readonly #inventory: NegInventory;
  readonly #timing: Timing;
  readonly #zone: string;
  readonly #stopped: AbortSignal;
  readonly #groups = new Map<string, Group>();
  /** The ports with NEGs of each Ingress. */
  readonly #uses = new Map<string, ServicePort[]>();
  readonly #inserts = new Set<Promise<void>>();

  constructor(options: {
    api: CoreV1Api;
    events: EventRecorder;
    inventory: NegInventory;
    timing: Timing;
    zone: string;
    stopped: AbortSignal;
  }) {
    this.#api = options.api;
    this.#events = options.events;
    this.#inventory = options.inventory;
    this.#timing = options.timing;
    this.#zone = options.zone;
    this.#stopped = options.stopped;
  }

  exists(name: string): boolean {
    const group = this.#groups.get(name);
    group?.lookedUp.resolve();
    return group?.exists === true;
  }

  /** Creates the NEGs of an Ingress's ports. Deletes the NEGs that it no longer uses, later. */
  async sync(ingress: string, ports: ServicePort[], services: ServiceReference[]): Promise<void> {
    const before = this.#uses.get(ingress) ?? [];
    const now = ports.filter((port) => port.neg);
    if (now.length > 0) this.#uses.set(ingress, now);
    else this.#uses.delete(ingress);
    for (const port of now) this.#ensureGroup(port);
    for (const port of before) if (!this.#isUsed(port.backend)) this.#collectLater(port.backend);
    const annotated = new Map([...before, ...now].map((port) => [`${port.namespace}/${port.service}`, port]));
    for (const { namespace, service } of annotated.values()) await this.#writeStatus(namespace, service);
    for (const { namespace, name } of services) this.#reportInvalidAnnotation(namespace, name);
  }

  /** Attaches new pods of a Service to its NEGs and detaches those that are gone. */
  syncEndpoints(namespace: string, service: string): void {
    for (const port of this.#portsOf(namespace, service)) {
      const group = this.#groups.get(port.backend);
      if (!group?.exists) continue;
      const endpoints = this.#inventory.endpoints(namespace, service, port.portName);
      const change = endpoints - group.endpoints;
      group.endpoints = endpoints;
      if (change === 0) continue;
      const operation = change > 0 ? "Attach" : "Detach";
      const where = `(NEG "${port.backend}" in zone "${this.#zone}")`;
      this.#record(
        port,
        "Normal",
        operation,
        `${operation} ${Math.abs(change)} network endpoint(s) ${where}`,
      );
    }
  }

  async stop(): Promise<void> {
    for (const { removal } of this.#groups.values()) clearTimeout(removal);
    await Promise.all(this.#inserts);
  }

  #ensureGroup(port: ServicePort): void {
    const group = this.#groups.get(port.backend);
    if (group) {
      clearTimeout(group.removal);
      group.removal = undefined;
      return;
    }
    const lookedUp = Promise.withResolvers<void>();
    this.#groups.set(port.backend, { exists: false, lookedUp, endpoints: 0, removal: undefined });
    const insert = this.#insert(port, lookedUp.promise).finally(() => this.#inserts.delete(insert));
    this.#inserts.add(insert);
  }

  async #insert(port: ServicePort, lookedUp: Promise<void>): Promise<void> {
    const begun = performance.now();
    // With an insert delay, the ingress controller's own inserts are slow too, and the NEG exists before its
    // lookup.
    if (this.#timing.insertDelayMs === 0) {
      await Promise.race([lookedUp, until(() => begun + UNASKED_MS, this.#stopped)]);
    }
    const start = performance.now();
    await until(() => start + INSERT_MS + this.#timing.insertDelayMs, this.#stopped);
    const group = this.#groups.get(port.backend);
    if (this.#stopped.aborted || !group) return;
    group.exists = true;
    const target = `${port.portName}/${port.port}-${port.targetPort}`;
    const syncer = `${port.namespace}/${port.service}-${port.backend}-${target}-GCE_VM_IP_PORT-L7`;
    this.#record(port, "Normal", "Create", `Created NEG "${port.backend}" for ${syncer} in "${this.#zone}".`);
    this.syncEndpoints(port.namespace, port.service);
  }

  #collectLater(name: string): void {
    const group = this.#groups.get(name);
    if (!group || group.removal) return;
    group.removal = setTimeout(() => this.#groups.delete(name), GARBAGE_COLLECTION_MS);
  }

  async #writeStatus(namespace: string, name: string): Promise<void> {
    const service = this.#inventory.service(namespace, name);
    if (!service) return;
    const groups = this.#portsOf(namespace, name).map((port) => [String(port.port), port.backend]);
    const status =
      groups.length === 0
        ? undefined
        : JSON.stringify({ network_endpoint_groups: Object.fromEntries(groups), zones: [this.#zone] });
    if (service.metadata?.annotations?.[NEG_STATUS] === status) return;
    const body = { metadata: { annotations: { [NEG_STATUS]: status ?? null } } };
    const options = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
    try {
      await this.#api.patchNamespacedService({ namespace, name, body }, options);
    } catch (error) {
      // The Service was deleted.
      if (error instanceof ApiException && error.code === 404) return;
      this.#recordOn(service, "Warning", "ProcessServiceFailed", failed(service, messageOf(error)));
    }
  }

  #reportInvalidAnnotation(namespace: string, name: string): void {
    const service = this.#inventory.service(namespace, name);
    if (service && negForIngress(service) === "invalid") {
      this.#recordOn(
        service,
        "Warning",
        "ProcessServiceFailed",
        failed(service, "NEG annotation is invalid."),
      );
    }
  }

  #portsOf(namespace: string, service: string): ServicePort[] {
    const ports = [...this.#uses.values()].flat();
    const own = ports.filter((port) => port.namespace === namespace && port.service === service);
    return [...new Map(own.map((port) => [port.backend, port])).values()];
  }

  #isUsed(group: string): boolean {
    return [...this.#uses.values()].some((ports) => ports.some((port) => port.backend === group));
  }

  #record(port: ServicePort, type: EventType, reason: string, message: string): void {
    const service = this.#inventory.service(port.namespace, port.service);
    if (service) this.#recordOn(service, type, reason, message);
  }

  #recordOn(service: V1Service, type: EventType, reason: string, message: string): void {
    const { namespace = "", name = "", uid = "" } = service.metadata ?? {};
    const involved: InvolvedObject = { apiVersion: "v1", kind: "Service", namespace, name, uid };
    this.#events.record(involved, type, reason, message);
  }
}

function failed(service: V1Service, reason: string): string {
  return `error processing service "${service.metadata?.namespace}/${service.metadata?.name}": ${reason}`;
}
