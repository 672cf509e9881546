import { isDeepStrictEqual } from "node:util";
import { ActionError } from "../base/errors.ts";
import { type ManagedZone, qualified, type RecordSet } from "./dns-resources.ts";

/** A host name whose A record says where a load balancer is. */
export interface HostRecord {
  host: string;
  /** IPv4 address. */
  address: string;
  /** Who keeps the record, in the TXT record beside it. */
  owner: string;
}

/** A host name that no longer leads to a load balancer. */
export interface UnwantedRecord {
  host: string;
  /** What the A record must say to be taken away; undefined: anything. */
  address: string | undefined;
  owner: string;
}

/** What makes a host's A record right. */
export interface RecordChange {
  action: "keep" | "create" | "change";
  deletions: RecordSet[];
  additions: RecordSet[];
  /** What the A record says so far. */
  before: string | undefined;
  /** Seconds for which resolvers may still answer what they have heard before. */
  staleSeconds: number;
}

/** Why a host's A record can't be made right. */
export interface RecordRefusal {
  action: "refuse";
  problem: string;
  remedy: string;
}

/** What takes a host's A record away. */
export interface RecordRemoval {
  deletions: RecordSet[];
  /** Why an A record is left; undefined when none is. */
  kept: string | undefined;
}

/** TTL of a new record, in seconds: Cloud DNS's own default. */
const NEW_TTL = 300;
/** How long resolvers remember that a name isn't there, in seconds: the SOA minimum that Cloud DNS gives a zone. */
const NEGATIVE_TTL = 300;

const HERITAGE = "milvus-gke-load-balancer";

/** Returns the error for a zone that can't make a host known to those who are to see it, undefined when it can. */
export function problemOfZone(
  { name, dnsName, visibility }: ManagedZone,
  host: string,
  loadBalancer: "external" | "internal",
): ActionError | undefined {
  if (!`.${qualified(host)}`.endsWith(`.${qualified(dnsName)}`)) {
    return new ActionError(`The host ${host} is not in the Cloud DNS zone ${name}.`, {
      why: `the zone holds ${dnsName}`,
      fix: "set dns_zone to the zone that holds the host's domain, or correct host.",
    });
  }
  if (visibility === "private" && loadBalancer === "external") {
    return new ActionError(
      `The Cloud DNS zone ${name} is private: nobody outside its networks would find ${host}.`,
      {
        fix: "set dns_zone to the domain's public zone, or load_balancer: internal.",
      },
    );
  }
  return undefined;
}

/**
 * Decides what makes a host's A record say an address. Only a record that isn't there is created, and only one that
 * the TXT record calls the owner's is changed, keeping its TTL. Pure.
 *
 * @param records what the zone holds, from {@link readRecords}
 */
export function decideRecord(
  records: readonly RecordSet[],
  wanted: HostRecord,
): RecordChange | RecordRefusal {
  const { host, address, owner } = wanted;
  const of = recordsOf(records, host);
  const { a, ownership } = of;
  if (of.cname) {
    return {
      action: "refuse",
      problem: `${host} is an alias (CNAME) of ${of.cname.rrdatas.join(", ")}`,
      remedy: "delete the CNAME record: a name that has one can't have an A record.",
    };
  }
  if (of.aaaa) {
    return {
      action: "refuse",
      problem: `${host} has the IPv6 address ${of.aaaa.rrdatas.join(", ")}, where this load balancer doesn't answer`,
      remedy: "delete the AAAA record: clients and Google's check of a managed certificate may use it.",
    };
  }
  const before = a?.rrdatas.join(", ");
  if (before === address) return { action: "keep", deletions: [], additions: [], before, staleSeconds: 0 };
  const keeper = ownership && ownerIn(ownership);
  if (ownership && keeper !== owner) {
    return {
      action: "refuse",
      problem: `${host} ${contentOf(a)} and is kept by ${keeper ?? "someone else"}, not by ${owner}`,
      remedy: `${handOver(of, wanted)}, if that one no longer needs it.`,
    };
  }
  if (a && !ownership) {
    return {
      action: "refuse",
      problem: `${host} ${contentOf(a)}, and that record was not made by this action`,
      remedy: `delete it, or hand it over: ${handOver(of, wanted)}.`,
    };
  }
  if (a && a.rrdatas.length !== 1) {
    return {
      action: "refuse",
      problem: `${host} ${contentOf(a)}: someone has changed the record`,
      remedy: "delete the A record, or leave it one address only.",
    };
  }
  return {
    action: a ? "change" : "create",
    deletions: a ? [a] : [],
    additions: [
      { name: qualified(host), type: "A", ttl: a?.ttl ?? NEW_TTL, rrdatas: [address] },
      ...(ownership ? [] : [ownershipRecord(host, owner)]),
    ],
    before,
    staleSeconds: a?.ttl ?? NEGATIVE_TTL,
  };
}

/** Returns what takes a host's A record away when it is the owner's and, where an address is given, says that one. */
export function decideRemoval(
  records: readonly RecordSet[],
  { host, address, owner }: UnwantedRecord,
): RecordRemoval {
  const { a, ownership } = recordsOf(records, host);
  const keeper = ownership && ownerIn(ownership);
  if (ownership && keeper === owner) {
    const elsewhere = a && !isDeepStrictEqual(a.rrdatas, [address ?? a.rrdatas[0]]);
    return {
      deletions: [...(a && !elsewhere ? [a] : []), ownership],
      kept: elsewhere
        ? `${host} ${contentOf(a)}, not to the load balancer${address ? ` at ${address}` : " alone"}`
        : undefined,
    };
  }
  const kept =
    a &&
    `${host} ${contentOf(a)}, and that record ${keeper ? `is kept by ${keeper}` : "was not made by this action"}`;
  return { deletions: [], kept };
}

/** Returns the error for a record that can't be set. */
export function refusedRecord({ problem, remedy }: RecordRefusal, zone: ManagedZone): ActionError {
  return new ActionError(`The host's A record can't be kept in the Cloud DNS zone ${zone.name}.`, {
    why: problem,
    fix: remedy,
  });
}

/** Returns the name of the TXT record that tells who keeps a host's A record. */
export function ownershipName(host: string): string {
  return `_${HERITAGE}.${qualified(host)}`;
}

function ownershipRecord(host: string, owner: string): RecordSet {
  const text = `heritage=${HERITAGE},owner=${owner}`;
  return { name: ownershipName(host), type: "TXT", ttl: NEW_TTL, rrdatas: [quoted(text)] };
}

/** Returns the owner that a TXT record names; undefined when it names none in this action's form. */
function ownerIn({ rrdatas }: RecordSet): string | undefined {
  const [, owner] = new RegExp(`^heritage=${HERITAGE},owner=(.+)$`).exec(unquoted(rrdatas[0] ?? "")) ?? [];
  return rrdatas.length === 1 ? owner : undefined;
}

function recordsOf(records: readonly RecordSet[], host: string) {
  const find = (name: string, type: string) =>
    records.find((record) => qualified(record.name) === name && record.type === type);
  const name = qualified(host);
  return {
    a: find(name, "A"),
    aaaa: find(name, "AAAA"),
    cname: find(name, "CNAME"),
    ownership: find(ownershipName(host), "TXT"),
  };
}

function contentOf(a: RecordSet | undefined): string {
  if (!a) return "has no A record";
  return a.rrdatas.length === 0
    ? "has an A record with a routing policy"
    : `points to ${a.rrdatas.join(", ")}`;
}

/** Returns the record with which a host is handed over to an owner, as an instruction. */
function handOver({ ownership }: ReturnType<typeof recordsOf>, { host, owner }: HostRecord): string {
  const { name, ttl, type, rrdatas } = ownershipRecord(host, owner);
  return `${ownership ? "replace its TXT record by" : "create the record"} ${name} ${ttl} IN ${type} ${rrdatas}`;
}

/** Longest part of a TXT record's text, in bytes (RFC 1035, 3.3). */
const CHARACTER_STRING = 255;

/** Returns a text as a TXT record's data in the form of zone files, which the API uses. */
function quoted(text: string): string {
  const parts = text.match(new RegExp(`.{1,${CHARACTER_STRING}}`, "gs")) ?? [""];
  return parts.map((part) => `"${part.replace(/["\\]/g, "\\$&")}"`).join(" ");
}

/** Returns the text of a TXT record's data. */
function unquoted(data: string): string {
  const parts = [...data.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, part = ""]) => part);
  return (parts.length > 0 ? parts.join("") : data).replace(/\\(.)/g, "$1");
}
