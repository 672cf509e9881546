import * as v from "valibot";
import { pause } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import { Change, ManagedZone, qualified, type RecordSet, RecordSets } from "./dns-resources.ts";
import { type Failure, type GoogleProject, requestOf } from "./google-api.ts";
import {
  decideRecord,
  decideRemoval,
  type HostRecord,
  ownershipName,
  type RecordChange,
  type RecordRemoval,
  refusedRecord,
  type UnwantedRecord,
} from "./host-record.ts";
import { refusedOperation } from "./operation.ts";

/** Longest wait until a change is served, in milliseconds. It usually takes seconds, rarely a minute. */
const CHANGE_LIMIT = 300_000;
/** Pauses between two requests for a change's status, in milliseconds. The last one repeats. */
const CHANGE_PAUSES = [250, 500, 1000, 2000, 5000] as const;

const EDITOR = "roles/dns.admin";

/**
 * Returns a managed zone.
 *
 * @throws ActionError if no zone has that name, or the credentials may not read it
 */
export async function getManagedZone(name: string, project: GoogleProject): Promise<ManagedZone> {
  const answer = await requestOf(project, "dns", `managedZones/${name}`);
  if (!answer.failure) return v.parse(ManagedZone, answer.body);
  if (answer.failure.status === 404) {
    throw new ActionError(`There is no Cloud DNS zone ${name} in the project ${project.projectId}.`, {
      why: answer.failure.text,
      fix: `set dns_zone to the zone's name, which is not its domain, and dns_project_id to its project: gcloud dns managed-zones list --project=${project.projectId}`,
    });
  }
  throw refusedOperation(answer.failure, project.projectId, {
    service: "dns",
    task: `read the Cloud DNS zone ${name}`,
    permission: "dns.managedZones.get",
    role: EDITOR,
  });
}

/**
 * Returns a zone's records for a host and for the TXT record that names the owner of the host's record.
 *
 * @throws ActionError if the credentials may not read them
 */
export async function readRecords(
  zone: ManagedZone,
  host: string,
  project: GoogleProject,
): Promise<RecordSet[]> {
  const read = async (name: string): Promise<RecordSet[]> => {
    const path = `managedZones/${zone.name}/rrsets?name=${encodeURIComponent(name)}`;
    const answer = await requestOf(project, "dns", path);
    if (!answer.failure) return v.parse(RecordSets, answer.body).rrsets;
    throw refusedOperation(answer.failure, project.projectId, {
      service: "dns",
      task: `read the records of ${host} in the Cloud DNS zone ${zone.name}`,
      permission: "dns.resourceRecordSets.list",
      role: EDITOR,
    });
  };
  return [...(await read(qualified(host))), ...(await read(ownershipName(host)))];
}

/**
 * Sets a host's A record. Returns the change once Cloud DNS serves it.
 *
 * @throws ActionError if the record belongs to someone else, or the credentials may not change it
 */
export async function setHostRecord(
  zone: ManagedZone,
  wanted: HostRecord,
  project: GoogleProject,
): Promise<RecordChange> {
  return await decideAndApply(zone, wanted.host, project, (records) => changeOf(records, wanted, zone));
}

/**
 * Creates a host's A record if there is none. Returns the change that would set it: one that would change an
 * existing record is not made.
 *
 * @throws ActionError if the record belongs to someone else, or the credentials may not create it
 */
export async function createHostRecord(
  zone: ManagedZone,
  wanted: HostRecord,
  project: GoogleProject,
): Promise<RecordChange> {
  return await decideAndApply(zone, wanted.host, project, (records) => {
    const change = changeOf(records, wanted, zone);
    return change.action === "create" ? change : { ...change, deletions: [], additions: [] };
  });
}

function changeOf(records: readonly RecordSet[], wanted: HostRecord, zone: ManagedZone): RecordChange {
  const decision = decideRecord(records, wanted, Date.now());
  if (decision.action === "refuse") throw refusedRecord(decision, zone);
  return decision;
}

/**
 * Deletes a host's A record and the TXT record beside it if they belong to the owner. Returns what was
 * deleted, and why a record was kept.
 *
 * @throws ActionError if the credentials may not change them
 */
export async function removeHostRecord(
  zone: ManagedZone,
  unwanted: UnwantedRecord,
  project: GoogleProject,
): Promise<RecordRemoval> {
  return await decideAndApply(zone, unwanted.host, project, (records) => decideRemoval(records, unwanted));
}

/**
 * Statuses of a change whose records somebody else changed since they were read: gone, added, or different.
 */
const RACES: readonly unknown[] = [404, 409, 412];

/** Reads, decides and applies. Tries once more if someone else changed the records in between. */
async function decideAndApply<T extends { deletions: RecordSet[]; additions?: RecordSet[] }>(
  zone: ManagedZone,
  host: string,
  project: GoogleProject,
  decide: (records: RecordSet[]) => T,
): Promise<T> {
  const task = `change the records of ${host} in the Cloud DNS zone ${zone.name}`;
  for (let attempt = 1; ; attempt += 1) {
    const decision = decide(await readRecords(zone, host, project));
    const { deletions, additions = [] } = decision;
    if (deletions.length === 0 && additions.length === 0) return decision;
    const failure = await applyChange(zone, { deletions, additions }, project);
    if (!failure) return decision;
    if (!RACES.includes(failure.status)) {
      throw refusedOperation(failure, project.projectId, {
        service: "dns",
        task,
        permission: "dns.changes.create and dns.resourceRecordSets.create, .update and .delete",
        role: EDITOR,
      });
    }
    if (attempt === 2) {
      throw new ActionError(`Could not ${task}: something else changes them at the same time.`, {
        why: failure.text,
        fix: "find out what else manages this record, and let only one of them do it.",
      });
    }
  }
}

/**
 * Makes one atomic change and waits until all name servers of the zone serve it. Returns a failure, if any.
 */
async function applyChange(
  zone: ManagedZone,
  body: { deletions: RecordSet[]; additions: RecordSet[] },
  project: GoogleProject,
): Promise<Failure | undefined> {
  const changes = `managedZones/${zone.name}/changes`;
  const deadline = performance.now() + CHANGE_LIMIT;
  let answer = await requestOf(project, "dns", changes, { method: "POST", body });
  for (let attempt = 0; ; attempt += 1) {
    if (answer.failure) return answer.failure;
    const { id, status } = v.parse(Change, answer.body);
    if (status === "done") return undefined;
    if (performance.now() > deadline) {
      const text = `the change ${id} is ${status} after ${CHANGE_LIMIT / 60_000} minutes`;
      return { status: undefined, url: undefined, text, reason: undefined };
    }
    await pause(CHANGE_PAUSES[attempt] ?? CHANGE_PAUSES[4], project.signal);
    answer = await requestOf(project, "dns", `${changes}/${id}`);
  }
}
