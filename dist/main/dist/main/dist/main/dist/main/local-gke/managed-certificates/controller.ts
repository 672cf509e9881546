import { randomUUID } from "node:crypto";
import {
  ApiException,
  type CustomObjectsApi,
  type NetworkingV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Ingress,
} from "@kubernetes/client-node";
import { messageOf } from "../../src/base/errors.ts";
import type { Cloud, SslCertificate } from "../cloud.ts";
import {
  managedCertificates,
  PRE_SHARED_CERTIFICATES,
  preSharedCertificates,
  usesManagedCertificates,
} from "../ingress/annotations.ts";
import type { Compute } from "../ingress/compute.ts";
import type { EventRecorder, EventType, InvolvedObject } from "../ingress/events.ts";
import { Retry, WorkQueue } from "../ingress/queue.ts";
import type { CustomObject, Store } from "../ingress/store.ts";
import { involvedObject } from "../ingress/sync.ts";
import type { Timing } from "../ingress/timing.ts";
import { domainsOf, hasStatus, statusOf } from "./managed-certificate.ts";
import { unissuedCertificate } from "./provisioning.ts";

const MERGE_PATCH = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
const FIELD_MANAGER = "managed-certificate-controller";

/** The controller's state of a ManagedCertificate. It outlives the object. */
export interface Entry {
  sslCertificate: string;
  /** The SslCertificate must be deleted, so it is detached from Ingresses. */
  softDeleted: boolean;
}

export interface ManagedCertificateContext {
  store: Store;
  cloud: Cloud;
  compute: Compute;
  events: EventRecorder;
  timing: Timing;
  networking: NetworkingV1Api;
  custom: CustomObjectsApi;
  /** By `namespace/name` of the ManagedCertificate. Outlives the controller. */
  entries: Map<string, Entry>;
  stopped: AbortSignal;
}

/**
 * The managed-certificate controller (gke-managed-certs). It creates an SslCertificate for each
 * ManagedCertificate, copies its status, and lists it in the annotation `pre-shared-cert` of the Ingresses
 * that use the ManagedCertificate.
 *
 * Like the real controller, it syncs an Ingress only if the Ingress changes or at the next resync, not if a
 * certificate changes.
 */
export class ManagedCertificateController {
  readonly #context: ManagedCertificateContext;
  readonly #certificates: WorkQueue;
  readonly #ingresses: WorkQueue;

  constructor(context: ManagedCertificateContext) {
    this.#context = context;
    const backoffBaseMs = () => context.timing.backoffBaseMs;
    this.#certificates = new WorkQueue(
      (key) => this.#withRetry(() => this.#syncCertificate(key)),
      backoffBaseMs,
    );
    this.#ingresses = new WorkQueue((key) => this.#withRetry(() => this.#syncIngress(key)), backoffBaseMs);
    // The real controller polls Google at each resync. Here, the delays of the provisioning include that
    // time.
    context.cloud.on("ssl-certificate", this.#onSslCertificate);
  }

  /** @param key `namespace/name` of the ManagedCertificate */
  certificateChanged(key: string): void {
    this.#certificates.add(key);
  }

  /** @param key `namespace/name` of the Ingress */
  ingressChanged(key: string): void {
    this.#ingresses.add(key);
  }

  /** Syncs all Ingresses and ManagedCertificates again. */
  resync(): void {
    for (const { metadata } of this.#context.store.ingresses()) this.#ingresses.add(keyOf(metadata));
    for (const { metadata } of this.#context.store.managedCertificates()) {
      this.#certificates.add(keyOf(metadata));
    }
    for (const key of this.#context.entries.keys()) this.#certificates.add(key);
  }

  async stop(): Promise<void> {
    this.#context.cloud.off("ssl-certificate", this.#onSslCertificate);
    await Promise.all([this.#certificates.stop(), this.#ingresses.stop()]);
  }

  readonly #onSslCertificate = (name: string) => {
    for (const [key, entry] of this.#context.entries) {
      if (entry.sslCertificate === name) this.#certificates.add(key);
    }
  };

  /** Runs a sync. It is silent if the sync fails because the controller stops or the object is gone. */
  async #withRetry(sync: () => Promise<void>): Promise<void> {
    try {
      await sync();
    } catch (error) {
      if (this.#context.stopped.aborted) return;
      if (error instanceof ApiException && error.code === 404) {
        throw new Retry(messageOf(error), { cause: error });
      }
      throw error;
    }
  }

  async #syncCertificate(key: string): Promise<void> {
    const { store, entries, cloud } = this.#context;
    const object = store.managedCertificate(key);
    if (!object) {
      const entry = entries.get(key);
      if (!entry) return;
      this.#deleteSslCertificate(entry, undefined);
      entries.delete(key);
      return;
    }
    const entry = entries.get(key) ?? { sslCertificate: `mcrt-${randomUUID()}`, softDeleted: false };
    entries.set(key, entry);
    const domains = domainsOf(object.spec);
    const present = cloud.sslCertificates.get(entry.sslCertificate);
    // An SslCertificate is immutable. For other domains, it is deleted and created again under the same name.
    if (present && !isFor(present, domains)) this.#deleteSslCertificate(entry, object);
    entry.softDeleted = false;
    if (!cloud.sslCertificates.has(entry.sslCertificate)) {
      await this.#createSslCertificate(entry.sslCertificate, domains, object);
    }
    await this.#writeStatus(object, entry);
  }

  /** @param object receives events; undefined if the ManagedCertificate is gone */
  #deleteSslCertificate(entry: Entry, object: CustomObject | undefined): void {
    const { cloud, compute } = this.#context;
    entry.softDeleted = true;
    try {
      const existed = cloud.deleteSslCertificate(entry.sslCertificate);
      compute.delete(entry.sslCertificate);
      if (object && existed) {
        this.#record(object, "Normal", "Delete", `Delete SslCertificate ${entry.sslCertificate}`);
      }
    } catch (error) {
      // The SslCertificate is in use as long as an Ingress lists it.
      if (object) this.#record(object, "Warning", "BackendError", messageOf(error));
      throw new Retry(messageOf(error), { cause: error });
    }
  }

  async #createSslCertificate(name: string, domains: string[], object: CustomObject): Promise<void> {
    const { cloud, compute } = this.#context;
    if (cloud.faults.has("ssl-certificate-quota")) {
      const reason = "(QUOTA_EXCEEDED: Quota 'SSL_CERTIFICATES' exceeded.  Limit: 10.0 globally.)";
      const message = `operation operation-${randomUUID()} DONE. Status: FORBIDDEN (403), errors: ${reason}`;
      this.#record(object, "Warning", "TooManyCertificates", message);
      throw new Retry(message);
    }
    if (domains.length === 0) {
      const message =
        "googleapi: Error 400: Required field 'resource.managed.domains' not specified, required";
      this.#record(object, "Warning", "BackendError", message);
      throw new Retry(message);
    }
    await compute.insert(name);
    cloud.setSslCertificate(unissuedCertificate(name, domains));
    this.#record(object, "Normal", "Create", `Create SslCertificate ${name}`);
  }

  async #writeStatus(object: CustomObject, entry: Entry): Promise<void> {
    const { cloud, custom } = this.#context;
    const certificate = cloud.sslCertificates.get(entry.sslCertificate);
    if (!certificate) return;
    const status = statusOf(certificate);
    if (hasStatus(object.status, status)) return;
    const { namespace = "", name = "" } = object.metadata ?? {};
    const kind = { group: "networking.gke.io", version: "v1", plural: "managedcertificates" };
    await custom.patchNamespacedCustomObject(
      { ...kind, namespace, name, body: { status }, fieldManager: FIELD_MANAGER },
      MERGE_PATCH,
    );
  }

  async #syncIngress(key: string): Promise<void> {
    const { store, entries, networking } = this.#context;
    const ingress = store.ingress(key);
    if (!ingress || !usesManagedCertificates(ingress)) return;
    const { namespace = "", name = "" } = ingress.metadata ?? {};
    const bound = new Set(managedCertificates(ingress).map((certificate) => `${namespace}/${certificate}`));
    for (const certificate of bound) this.#mustExist(certificate, ingress);

    const attached = new Set(preSharedCertificates(ingress));
    for (const [certificate, { sslCertificate, softDeleted }] of entries) {
      if (!certificate.startsWith(`${namespace}/`)) continue;
      if (softDeleted) attached.delete(sslCertificate);
      else if (bound.has(certificate)) attached.add(sslCertificate);
    }
    const value = [...attached].sort().join(",");
    if (value === (ingress.metadata?.annotations?.[PRE_SHARED_CERTIFICATES] ?? "")) return;
    const body = { metadata: { annotations: { [PRE_SHARED_CERTIFICATES]: value } } };
    const written = await networking.patchNamespacedIngress(
      { namespace, name, body, fieldManager: FIELD_MANAGER },
      MERGE_PATCH,
    );
    store.wrote(written);
  }

  #mustExist(certificate: string, ingress: V1Ingress): void {
    if (this.#context.store.managedCertificate(certificate)) return;
    const message = `ManagedCertificate ${certificate.replace("/", ":")} missing`;
    this.#context.events.record(involvedObject(ingress), "Warning", "MissingCertificate", message);
    throw new Retry(message);
  }

  #record(object: CustomObject, type: EventType, reason: string, message: string): void {
    const { namespace = "", name = "", uid = "", resourceVersion = "" } = object.metadata ?? {};
    const kind = { apiVersion: "networking.gke.io/v1", kind: "ManagedCertificate" };
    const involved: InvolvedObject = { ...kind, namespace, name, uid, resourceVersion };
    this.#context.events.record(involved, type, reason, message);
  }
}

function isFor({ managed }: SslCertificate, domains: string[]): boolean {
  return JSON.stringify(managed?.domains.toSorted()) === JSON.stringify(domains.toSorted());
}

function keyOf(metadata: { namespace?: string; name?: string } | undefined): string {
  return `${metadata?.namespace}/${metadata?.name}`;
}
