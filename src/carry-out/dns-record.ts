import { info } from "../base/log.ts";
import { createHostRecord, removeHostRecord, setHostRecord } from "../gke/cloud-dns.ts";
import type { Settings } from "../inputs/settings.ts";
import type { Zone } from "../observe/dns-zone.ts";
import { changingAtomically, objectChangeKey, recording, recordOutcome } from "../report/run-report.ts";
import type { Session } from "../report/session.ts";

function recordKey(host: string): string {
  return objectChangeKey({ kind: "DNS record", name: host });
}

/**
 * Creates the host's DNS record if it doesn't exist and its zone is given. Google looks for it before it
 * issues a certificate. A record that points elsewhere stays: clients still use it.
 *
 * @returns where the record points instead; undefined when it points at the load
 *   balancer, or no zone is given
 * @throws ActionError when the record is someone else's or may not be created
 */
export async function introduceHost(
  { host }: Pick<Settings, "host">,
  { report }: Session,
  dns: Zone | undefined,
  address: string,
): Promise<string | undefined> {
  if (!dns) return undefined;
  const { zone, owner, project } = dns;
  const { action, before, staleSeconds } = await recording(report, recordKey(host), () =>
    changingAtomically(
      report,
      () => createHostRecord(zone, { host, address, owner }, project),
      ({ action }) => action === "create",
    ),
  );
  if (action === "change") {
    recordOutcome(report, recordKey(host), undefined);
    return before;
  }
  if (action === "create") {
    info(
      `The Cloud DNS zone ${zone.name} now says that ${host} is at ${address}, which resolvers may not know for ${staleSeconds}s.`,
    );
  }
  return undefined;
}

/** A record that pointed elsewhere before. */
export interface MovedRecord {
  /** Its former address. */
  before: string;
  /** How long resolvers may still give the former address, in seconds. */
  staleSeconds: number;
  /** Who moved it: an earlier run may have been killed before that time was over. */
  by: "this run" | "an earlier run";
}

/**
 * Points the host's DNS record at a load balancer, if its zone is given. Call it once Milvus answers there.
 *
 * @returns the move, as long as resolvers may give the former address
 * @throws ActionError when the record is someone else's or may not be changed
 */
export async function pointHost(
  { host }: Pick<Settings, "host">,
  { report }: Session,
  dns: Zone | undefined,
  address: string,
): Promise<MovedRecord | undefined> {
  if (!dns) return undefined;
  const { zone, owner, project } = dns;
  const { action, before, staleSeconds } = await recording(report, recordKey(host), () =>
    changingAtomically(
      report,
      () => setHostRecord(zone, { host, address, owner }, project),
      ({ action }) => action !== "keep",
    ),
  );
  if (action === "keep") {
    info(`The Cloud DNS zone ${zone.name} says that ${host} is at ${address}.`);
    return before !== undefined && staleSeconds > 0
      ? { before, staleSeconds, by: "an earlier run" }
      : undefined;
  }
  const stale = before
    ? `instead of ${before}, which resolvers may still answer`
    : "which resolvers may not know";
  info(
    `The Cloud DNS zone ${zone.name} now says that ${host} is at ${address}, ${stale} for ${staleSeconds}s.`,
  );
  return before === undefined ? undefined : { before, staleSeconds, by: "this run" };
}

/**
 * Removes a host's DNS record if this action made it.
 *
 * @param address the load balancer's, if known
 * @param staying addresses of load balancers that stay: a record that points to one of them stays, too
 * @throws ActionError when the zone may not be changed
 */
export async function forgetHost(
  host: string,
  { report }: Session,
  { zone, owner, project }: Zone,
  address: string | undefined,
  staying: readonly string[] = [],
): Promise<void> {
  const { deletions, kept } = await recording(report, recordKey(host), () =>
    changingAtomically(
      report,
      () => removeHostRecord(zone, { host, address, staying, owner }, project),
      ({ deletions }) => deletions.length > 0,
    ),
  );
  if (deletions.length > 0) {
    info(`The record of ${host} was removed from the Cloud DNS zone ${zone.name}.`);
  }
  if (kept) info(`A record is left in the Cloud DNS zone ${zone.name}: ${kept}.`);
}
