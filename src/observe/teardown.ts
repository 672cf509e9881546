import * as v from "valibot";
import { allOf } from "../base/async.ts";
import { type Release, readRelease } from "../helm/release.ts";
import { readHistory, type StoredRelease } from "../helm/stored-release.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ApiServer, Manifest } from "../kubernetes/api.ts";
import { Ingress, type KubernetesObject, Service } from "../kubernetes/objects.ts";
import { refuseMissingRights } from "../kubernetes/permissions.ts";
import { RELEASE, type Right, rightsIn, TEARDOWN } from "../kubernetes/rights.ts";
import { addressOf } from "../loadbalancer/address.ts";
import { layer4Of } from "../milvus/layer-4.ts";
import type { Access } from "./access.ts";
import { observeUnwantedAddress, type UnwantedAddress } from "./address.ts";
import { type ClientPolicy, observeClientPolicy } from "./client-policy.ts";
import { observeObjects, observeOtherIngresses, parsed } from "./cluster.ts";
import { type OwnRecord, observeOwnRecord, observeZone, type Zone } from "./dns-zone.ts";
import { observeReleaseObjects, WORKLOADS } from "./release-objects.ts";

/** What a teardown may have to remove or restore. */
export interface TeardownState {
  /** Objects with the names that this action gives, whoever made them. */
  objects: KubernetesObject[];
  /** The address of the Ingress's load balancer, if it has one. */
  ingressAddress: string | undefined;
  /** The user's own objects that exist, in the order of their files. */
  manifests: KubernetesObject[];
  otherIngresses: Ingress[];
  services: Service[];
  zone: Zone | undefined;
  /** The host's record in the zone, as far as this action made it. */
  ownRecord: OwnRecord | undefined;
  /** The addresses of the namespace's layer-4 load balancers. */
  layer4Addresses: string[];
  /** The static address to release. */
  staticAddress: UnwantedAddress | undefined;
  /** The Cloud Armor policy of allowed_ranges, if it may exist. */
  clientPolicy: ClientPolicy | undefined;
  /**
   * The release to restore, with its revisions and its live Deployments and StatefulSets; undefined without
   * restore_layer4, or when it doesn't exist.
   */
  restorable: { release: Release; history: StoredRelease[]; workloads: KubernetesObject[] } | undefined;
}

/**
 * Reads everything that a teardown depends on.
 *
 * @param manifests the user's own objects
 * @throws ActionError when rights are missing, or something else uses the static address that is to be
 *   released
 */
export async function observeTeardown(
  settings: Settings,
  access: Access,
  manifests: readonly Manifest[],
): Promise<TeardownState> {
  const { api } = access;
  const { namespace, restoreLayer4 } = settings;
  const [, objects, otherIngresses, services, restorable, zone, found] = await allOf([
    refuseMissingRights(api, teardownRights(settings)),
    observeObjects(settings, api),
    observeOtherIngresses(settings, api),
    observeServices(namespace, api),
    restoreLayer4 ? observeRestorable(settings, access) : undefined,
    observeZone(settings, access),
    allOf(manifests.map((manifest) => api.find(manifest))),
  ]);
  const ingress = parsed(
    Ingress,
    objects.find(({ kind }) => kind === "Ingress"),
  );
  const ingressAddress = ingress && addressOf(ingress);
  const layer4Addresses = services.flatMap((service) => layer4Of(service)?.addresses ?? []);
  const [staticAddress, clientPolicy, ownRecord] = await allOf([
    observeUnwantedAddress(settings, access, ingress),
    observeClientPolicy(settings, access, objects),
    zone && observeOwnRecord(settings.host, zone, ingressAddress, layer4Addresses),
  ]);
  return {
    objects,
    ingressAddress,
    manifests: found.flatMap((object) => object ?? []),
    otherIngresses,
    services,
    zone,
    ownRecord,
    layer4Addresses,
    staticAddress,
    clientPolicy,
    restorable,
  };
}

/** Returns the rights that every teardown with these settings needs. */
export function teardownRights({
  namespace,
  restoreLayer4,
}: Pick<Settings, "namespace" | "restoreLayer4">): Right[] {
  return rightsIn(namespace, TEARDOWN, restoreLayer4 ? RELEASE : []);
}

async function observeServices(namespace: string, api: ApiServer): Promise<Service[]> {
  const { items } = await api.list("Service", namespace, "labelSelector=");
  return items.map((item) => v.parse(Service, item));
}

async function observeRestorable(
  { release: name, namespace }: Pick<Settings, "release" | "namespace">,
  { api }: Pick<Access, "api">,
): Promise<TeardownState["restorable"]> {
  const release = await readRelease(api, name, namespace);
  if (!release) return undefined;
  const [history, workloads] = await allOf([
    readHistory(api, release),
    observeReleaseObjects(api, name, namespace, WORKLOADS),
  ]);
  return { release, history, workloads };
}
