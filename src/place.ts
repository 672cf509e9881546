import { info } from "@actions/core";
import type { Access } from "./access.ts";
import { allOf } from "./async.ts";
import { ActionError, messageOf } from "./errors.ts";
import {
  decideRecord,
  getManagedZone,
  type ManagedZone,
  problemOfZone,
  readRecords,
  refusedRecord,
  setHostRecord,
} from "./gke/cloud-dns.ts";
import {
  type Address,
  type AddressUse,
  getAddress,
  getSslCertificate,
  problemOfAddress,
  proxyOnlySubnets,
  reserveAddress,
  type Scope,
  type SslCertificate,
} from "./gke/compute.ts";
import type { GoogleProject } from "./gke/google-api.ts";
import type { Settings } from "./inputs.ts";
import type { Ingress } from "./kubernetes/objects.ts";
import { problemOfSubnets, problemsOfPreShared } from "./loadbalancer/preflight.ts";
import type { ObjectChange } from "./plan.ts";
import type { Session } from "./session.ts";

/** Where the load balancer is to be: what there is of it at Google, outside the cluster. */
export interface Place {
  /** The reserved address; undefined while it isn't reserved, or when the load balancer gets any. */
  address: string | undefined;
  /** The certificates at Google that are to be presented; undefined when they can't be looked up. */
  sslCertificates: SslCertificate[] | undefined;
  zone: Zone | undefined;
  /** What a run changes of it. */
  changes: ObjectChange[];
}

/** The DNS zone in which the host's record is kept. */
export interface Zone {
  zone: ManagedZone;
  project: GoogleProject;
  /** Who keeps the record. */
  owner: string;
}

/** An address that isn't known yet, for questions that don't depend on it. */
const TO_COME = "the load balancer's address";

/**
 * Looks at the static address, the DNS zone and the certificates at Google that the inputs name.
 *
 * @param ingress the Ingress as it is
 * @throws ActionError when one of them isn't there or isn't to be had
 */
export async function observePlace(
  settings: Settings,
  access: Access,
  ingress: Ingress | undefined,
): Promise<Place> {
  const [address, zone, sslCertificates] = await allOf([
    observeAddress(settings, access, ingress),
    observeZone(settings, access),
    observePreShared(settings, access),
    refuseMissingSubnet(settings, access),
  ]);
  const recordChange = zone && (await recordChangeOf(settings, zone, address?.address));
  return {
    address: address?.address,
    sslCertificates,
    zone,
    changes: [
      ...(settings.createStaticIp && settings.staticIpName && !address
        ? [{ kind: "static address", name: settings.staticIpName, action: "create" as const }]
        : []),
      ...(recordChange ? [recordChange] : []),
    ],
  };
}

/** Reserves the static address if that is asked for and still to be done, and returns it. */
export async function reservePlace(
  settings: Settings,
  { known }: Session,
  access: Access,
  place: Place,
): Promise<string | undefined> {
  const { staticIpName: name, createStaticIp, namespace, ingressName } = settings;
  if (place.address !== undefined || !name || !createStaticIp) return place.address;
  const description = `Milvus's load balancer, Ingress ${namespace}/${ingressName}`;
  const details = { description, subnetwork: access.cluster?.subnetwork };
  const project = await access.project();
  const { changed } = known;
  // Said beforehand: a run that is cancelled meanwhile may have changed something too.
  known.changed = true;
  const address = await reserveAddress(scopeOf(settings), name, details, project).catch((error: unknown) => {
    known.changed = changed;
    throw error;
  });
  // Another run may have been faster, and for another load balancer.
  const problem = problemOfAddress(
    name,
    { address, elsewhere: undefined },
    useOf(settings, project, undefined),
  );
  if (problem) throw problem;
  info(`The static address ${name} is reserved: ${address.address}.`);
  return address.address;
}

/** Makes DNS say where the load balancer is, when its zone is given. */
export async function pointHost(
  settings: Settings,
  { known }: Session,
  place: Place,
  address: string,
): Promise<void> {
  if (!place.zone) return;
  const { zone, owner, project } = place.zone;
  const { host } = settings;
  const { action, before, staleSeconds } = await setHostRecord(zone, { host, address, owner }, project);
  if (action === "keep") {
    info(`The Cloud DNS zone ${zone.name} says that ${host} is at ${address}.`);
    return;
  }
  known.changed = true;
  const stale = before
    ? `instead of ${before}, which resolvers may still answer`
    : "which resolvers may not know";
  info(
    `The Cloud DNS zone ${zone.name} now says that ${host} is at ${address}, ${stale} for ${staleSeconds}s.`,
  );
}

/** A static address that is to be released. */
export interface UnwantedAddress {
  name: string;
  scope: Scope;
  project: GoogleProject;
  /** Whether it is still there. */
  isReserved: boolean;
}

/**
 * Returns the static address that a teardown is to release; undefined when none is to be.
 *
 * @param ingress the Ingress as it is
 * @throws ActionError when something else uses the address, or Google can't be asked
 */
export async function observeUnwantedAddress(
  settings: Settings,
  access: Access,
  ingress: Ingress | undefined,
): Promise<UnwantedAddress | undefined> {
  const { staticIpName: name, deleteStaticIp } = settings;
  if (!name || !deleteStaticIp) return undefined;
  const project = await access.project();
  const scope = scopeOf(settings);
  const address = await getAddress(scope, name, project);
  const found = { address, elsewhere: undefined };
  const problem = address && problemOfAddress(name, found, useOf(settings, project, ingress));
  if (problem) throw problem;
  return { name, scope, project, isReserved: address !== undefined };
}

/** Returns where a load balancer's address is: an external one is global. */
function scopeOf({ loadBalancer, google: { location } }: Settings): Scope {
  if (loadBalancer === "external") return "global";
  if (location === undefined) {
    throw new ActionError("The region of the internal load balancer is not known; nothing was changed.", {
      why: "its address and certificates at Google belong to a region, which a kubeconfig doesn't tell.",
      fix: "set location to the cluster's region or zone.",
    });
  }
  return `regions/${regionOf(location)}`;
}

/** Who keeps the host's record, for the TXT record beside it: cluster, namespace and Ingress. */
export function recordOwner(settings: Settings, { cluster }: Access, { projectId }: GoogleProject): string {
  const of = cluster ? `${cluster.projectId}/${cluster.location}/${cluster.name}` : projectId;
  return `${of}/${settings.namespace}/${settings.ingressName}`;
}

export function regionOf(location: string): string {
  return location.replace(/-[a-z]$/, "");
}

async function observeAddress(
  settings: Settings,
  access: Access,
  ingress: Ingress | undefined,
): Promise<Address | undefined> {
  const { staticIpName: name, createStaticIp } = settings;
  if (!name) return undefined;
  const project = createStaticIp ? await access.project() : await projectIfAny(settings, access, name);
  if (!project) return undefined;
  const scope = scopeOf(settings);
  const address = await getAddress(scope, name, project);
  if (!address && createStaticIp) return undefined;
  const other: Scope = scope === "global" ? `regions/${regionOf(settings.google.location ?? "")}` : "global";
  const isElsewhere = !address && other !== "regions/" && (await getAddress(other, name, project));
  const found = { address, elsewhere: isElsewhere ? other : undefined };
  const problem = problemOfAddress(name, found, useOf(settings, project, ingress));
  if (problem) throw problem;
  return address;
}

function useOf(settings: Settings, { projectId }: GoogleProject, ingress: Ingress | undefined): AddressUse {
  const { namespace, ingressName, allowHttp } = settings;
  const annotations = ingress?.metadata.annotations;
  return { projectId, scope: scopeOf(settings), namespace, ingress: ingressName, allowHttp, annotations };
}

/** @throws ActionError when the zone isn't there or can't have the host */
export async function observeZone(settings: Settings, access: Access): Promise<Zone | undefined> {
  const { dnsZone, dnsProjectId, host, loadBalancer } = settings;
  if (!dnsZone) return undefined;
  const own = await access.project();
  const project = { ...own, projectId: dnsProjectId ?? own.projectId };
  const zone = await getManagedZone(dnsZone, project);
  const problem = problemOfZone(zone, host, loadBalancer);
  if (problem) throw problem;
  return { zone, project, owner: recordOwner(settings, access, own) };
}

async function recordChangeOf(
  { host }: Settings,
  { zone, project, owner }: Zone,
  address = TO_COME,
): Promise<ObjectChange | undefined> {
  const decision = decideRecord(await readRecords(zone, host, project), { host, address, owner });
  if (decision.action === "refuse") throw refusedRecord(decision, zone);
  // Whether the record is right shows only when the load balancer has its address.
  if (decision.action === "keep" || (address === TO_COME && decision.action === "change")) return undefined;
  return { kind: "DNS record", name: host, action: decision.action };
}

async function observePreShared(settings: Settings, access: Access): Promise<SslCertificate[] | undefined> {
  if (settings.certificate.kind !== "pre-shared") return undefined;
  const { names } = settings.certificate;
  const project = await projectIfAny(settings, access, names.join(", "));
  if (!project) return undefined;
  const scope = scopeOf(settings);
  const found = await allOf(names.map((name) => getSslCertificate(scope, name, project)));
  const problem = problemsOfPreShared(
    names.map((name, index) => ({ name, certificate: found[index] })),
    settings.host,
    project.projectId,
    Date.now(),
  );
  if (problem) throw problem;
  return found.flatMap((certificate) => certificate ?? []);
}

/** Google's controller makes an internal load balancer only where the network has room for its proxies. */
async function refuseMissingSubnet(settings: Settings, access: Access): Promise<void> {
  const network = access.cluster?.network;
  if (settings.loadBalancer !== "internal" || !network) return;
  const region = regionOf(settings.google.location ?? "");
  const problem = problemOfSubnets(
    await proxyOnlySubnets(region, network, await access.project()),
    region,
    network,
  );
  if (problem) throw problem;
}

/** With a kubeconfig there may be no credentials for Google: what they would be for is then left to the controller. */
async function projectIfAny(
  { cluster }: Settings,
  access: Access,
  what: string,
): Promise<GoogleProject | undefined> {
  if (cluster.kind === "gke") return await access.project();
  try {
    return await access.project();
  } catch (error) {
    info(`Whether Google has ${what} can't be checked here: ${messageOf(error)}`);
    return undefined;
  }
}
