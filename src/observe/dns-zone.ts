import { getManagedZone, readRecords } from "../gke/cloud-dns.ts";
import type { ManagedZone } from "../gke/dns-resources.ts";
import type { GoogleProject } from "../gke/google-api.ts";
import { decideRecord, decideRemoval, problemOfZone, refusedRecord } from "../gke/host-record.ts";
import type { Settings } from "../inputs/settings.ts";
import type { Access } from "./access.ts";
import type { GoogleState } from "./observed.ts";

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
 * Returns the Cloud DNS zone that the inputs name; undefined when they name none.
 *
 * @throws ActionError when the zone isn't there or can't have the host
 */
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

/**
 * Returns what a run does to the host's record; undefined when that is nothing, or not known yet.
 *
 * @param address where the load balancer is, when that is known
 * @throws ActionError when the record is someone else's
 */
export async function recordChangeOf(
  { host }: Settings,
  { zone, project, owner }: Zone,
  address = TO_COME,
): Promise<GoogleState["recordChange"]> {
  const decision = decideRecord(await readRecords(zone, host, project), { host, address, owner });
  if (decision.action === "refuse") throw refusedRecord(decision, zone);
  // Whether the record is right shows only when the load balancer has its address.
  if (decision.action === "keep" || (address === TO_COME && decision.action === "change")) return undefined;
  return decision.action;
}

/**
 * Tells whether a zone has a record of a host that is this action's to delete.
 *
 * @param address where the load balancer is, when that is known
 */
export async function hasOwnRecord(
  host: string,
  { zone, project, owner }: Zone,
  address: string | undefined,
): Promise<boolean> {
  const records = await readRecords(zone, host, project);
  return decideRemoval(records, { host, address, owner }).deletions.length > 0;
}

/** Who keeps the host's record, for the TXT record beside it: cluster, namespace and Ingress. */
function recordOwner(settings: Settings, { cluster }: Access, { projectId }: GoogleProject): string {
  const of = cluster ? `${cluster.projectId}/${cluster.location}/${cluster.name}` : projectId;
  return `${of}/${settings.namespace}/${settings.ingressName}`;
}
