import { getManagedZone, readRecords } from "../gke/cloud-dns.ts";
import type { ManagedZone } from "../gke/dns-resources.ts";
import type { GoogleProject } from "../gke/google-api.ts";
import { decideRecord, decideRemoval, ownTarget, problemOfZone, refusedRecord } from "../gke/host-record.ts";
import type { Settings } from "../inputs/settings.ts";
import type { Access } from "./access.ts";
import type { GoogleState } from "./observed.ts";

type DnsSettings = Pick<
  Settings,
  "dnsZone" | "dnsProjectId" | "host" | "loadBalancer" | "namespace" | "ingressName"
>;

/** The Cloud DNS zone with the host's record. */
export interface Zone {
  zone: ManagedZone;
  project: GoogleProject;
  /** The record's owner, as the TXT record beside it names it. */
  owner: string;
}

/** Stands for an address that isn't known yet. */
const TO_COME = "the load balancer's address";

/**
 * Returns the Cloud DNS zone that the inputs name; undefined when they name none.
 *
 * @throws ActionError when the zone doesn't exist or isn't for the host
 */
export async function observeZone(settings: DnsSettings, access: Access): Promise<Zone | undefined> {
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
 * Returns what a run does to the host's record; undefined for nothing, or while that isn't known.
 *
 * @param address the load balancer's, if known
 * @throws ActionError when the record is someone else's
 */
export async function recordChangeOf(
  { host }: Pick<Settings, "host">,
  { zone, project, owner }: Zone,
  address = TO_COME,
): Promise<GoogleState["recordChange"]> {
  const decision = decideRecord(await readRecords(zone, host, project), { host, address, owner }, Date.now());
  if (decision.action === "refuse") throw refusedRecord(decision, zone);
  const { action, before } = decision;
  return action === "keep" ? undefined : { action, before };
}

/** A host's record that this action made. */
export interface OwnRecord {
  /** Whether this action may delete it, or the TXT record that is left of it. */
  isDeletable: boolean;
  /** Where it leads. */
  target: string | undefined;
}

/**
 * Returns the host's record in a zone, as far as this action made it.
 *
 * @param address the load balancer's, if known
 * @param staying addresses of load balancers that stay: a record that points to one of them stays, too
 */
export async function observeOwnRecord(
  host: string,
  { zone, project, owner }: Zone,
  address: string | undefined,
  staying: readonly string[] = [],
): Promise<OwnRecord> {
  const records = await readRecords(zone, host, project);
  const { deletions } = decideRemoval(records, { host, address, staying, owner });
  return { isDeletable: deletions.length > 0, target: ownTarget(records, { host, owner }) };
}

/** Names the cluster, the namespace and the Ingress. */
function recordOwner(settings: DnsSettings, { cluster }: Access, { projectId }: GoogleProject): string {
  const of = cluster ? `${cluster.projectId}/${cluster.location}/${cluster.name}` : projectId;
  return `${of}/${settings.namespace}/${settings.ingressName}`;
}
