import { isDeepStrictEqual } from "node:util";
import { ActionError } from "../base/errors.ts";
import { type ManagedZone, qualified, type RecordSet } from "./dns-resources.ts";

/** A host name and the address that its A record must have. */
export interface HostRecord {
  host: string;
  /** IPv4 address. */
  address: string;
  /** Who manages the record, as in the TXT record beside it. */
  owner: string;
}

/** A host name whose A record is no longer wanted. */
export interface UnwantedRecord {
  host: string;
  /** Delete the A record only if it has this address; undefined: any. */
  address: string | undefined;
  /** Addresses of load balancers that stay: a record with one of them stays too. */
  staying: readonly string[];
  owner: string;
}

/** The change that sets a host's A record. */
export interface RecordChange {
  action: "keep" | "create" | "change";
  deletions: RecordSet[];
  additions: RecordSet[];
  /** The addresses in the A record before this change. For `keep`: before the last change. */
  before: string | undefined;
  /** For how many seconds resolvers may still give `before`, or that there is no record. */
  staleSeconds: number;
}

/** Why a host's A record can't be set. */
export interface RecordRefusal {
  action: "refuse";
  problem: string;
  remedy: string;
}

/** The change that removes a host's A record. */
export interface RecordRemoval {
  deletions: RecordSet[];
  /** Why an A record is kept; undefined if none is. */
  kept: string | undefined;
}

/** TTL of a new record, in seconds: Cloud DNS's default. */
const NEW_TTL = 300;
/** How long resolvers cache that a name doesn't exist, in seconds: the SOA minimum of Cloud DNS zones. */
const NEGATIVE_TTL = 300;

/** How long Cloud DNS may need to serve a change, in seconds. Usually a few are enough. */
const SERVING_TIME = 60;

const HERITAGE = "milvus-gke-load-balancer";

/**
 * Returns the error for a zone in which clients of the load balancer would not find a host, undefined if they
 * would.
 */
export function problemOfZone(
  { name, dnsName, visibility }: ManagedZone,
  host: string,
  loadBalancer: "external" | "internal",
): ActionError | undefined {
  if (!`.${qualified(host)}`.endsWith(`.${qualified(dnsName)}`)) {
    return new ActionError(`The host ${host} is not in the Cloud DNS zone ${name}.`, {
      why: `the zone is for ${dnsName}`,
      fix: "set dns_zone to the zone of the host's domain, or correct host.",
    });
  }
  if (visibility === "private" && loadBalancer === "external") {
    return new ActionError(
      `The Cloud DNS zone ${name} is private: clients outside its networks can't find ${host}.`,
      {
        fix: "set dns_zone to the domain's public zone, or load_balancer: internal.",
      },
    );
  }
  return undefined;
}

/**
 * Decides how to set a host's A record. A missing record is created. An existing record is changed only if
 * the TXT record names the owner; it keeps its TTL. The same change also writes into the TXT record the
 * former address and the time until which resolvers may give it: the next run may need both.
 *
 * @param records the zone's records, from {@link readRecords}
 * @param now milliseconds since 1970
 */
export function decideRecord(
  records: readonly RecordSet[],
  wanted: HostRecord,
  now: number,
): RecordChange | RecordRefusal {
  const { host, address, owner } = wanted;
  const present = recordsOf(records, host);
  const { a, ownership } = present;
  if (present.cname) {
    return {
      action: "refuse",
      problem: `${host} is an alias (CNAME) of ${present.cname.rrdatas.join(", ")}`,
      remedy: "delete the CNAME record: a name that has one can't have an A record.",
    };
  }
  if (present.aaaa) {
    return {
      action: "refuse",
      problem: `${host} has the IPv6 address ${present.aaaa.rrdatas.join(", ")}, which is not this load balancer's`,
      remedy: "delete the AAAA record: clients and Google's domain validation may use it.",
    };
  }
  const before = a?.rrdatas.join(", ");
  const { owner: keeper, former } = ownershipIn(ownership);
  if (before === address) {
    const until = keeper === owner ? former?.until : undefined;
    const staleSeconds = until !== undefined && until > now ? Math.ceil((until - now) / 1000) : 0;
    return { action: "keep", deletions: [], additions: [], before: former?.address, staleSeconds };
  }
  if (ownership && keeper !== owner) {
    return {
      action: "refuse",
      problem: `${host} ${contentOf(a)} and is managed by ${keeper ?? "someone else"}, not by ${owner}`,
      remedy: `${handOver(present, wanted)}, if the other owner no longer needs it.`,
    };
  }
  if (a && !ownership) {
    return {
      action: "refuse",
      problem: `${host} ${contentOf(a)}, and that record was not made by this action`,
      remedy: `delete it, or hand it over: ${handOver(present, wanted)}.`,
    };
  }
  if (a && a.rrdatas.length !== 1) {
    return {
      action: "refuse",
      problem: `${host} ${contentOf(a)}: someone changed the record`,
      remedy: "delete the A record, or reduce it to one address.",
    };
  }
  const ttl = a?.ttl ?? NEW_TTL;
  const moved =
    before === undefined ? undefined : { address: before, until: now + 1000 * (SERVING_TIME + ttl) };
  return {
    action: a ? "change" : "create",
    deletions: a && ownership ? [a, ownership] : [],
    additions: [
      { name: qualified(host), type: "A", ttl, rrdatas: [address] },
      ...(ownership && !a ? [] : [ownershipRecord(host, owner, moved)]),
    ],
    before,
    staleSeconds: a?.ttl ?? NEGATIVE_TTL,
  };
}

/**
 * Decides how to remove a host's A record: only if it is the owner's and has the given address, if one is
 * given.
 */
export function decideRemoval(
  records: readonly RecordSet[],
  { host, address, staying, owner }: UnwantedRecord,
): RecordRemoval {
  const { a, ownership } = recordsOf(records, host);
  const { owner: keeper } = ownershipIn(ownership);
  if (ownership && keeper === owner) {
    if (a?.rrdatas.some((target) => staying.includes(target))) {
      return { deletions: [], kept: `${host} ${contentOf(a)}, a load balancer that stays` };
    }
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
    `${host} ${contentOf(a)}, and that record ${keeper ? `is managed by ${keeper}` : "was not made by this action"}`;
  return { deletions: [], kept };
}

/** Returns the address in the A record of a host if the owner made that record. */
export function ownTarget(
  records: readonly RecordSet[],
  { host, owner }: Pick<HostRecord, "host" | "owner">,
): string | undefined {
  const { a, ownership } = recordsOf(records, host);
  return ownershipIn(ownership).owner === owner ? a?.rrdatas[0] : undefined;
}

/** Returns the error for an A record that this action can't set. */
export function refusedRecord({ problem, remedy }: RecordRefusal, zone: ManagedZone): ActionError {
  return new ActionError(`This action can't manage the host's A record in the Cloud DNS zone ${zone.name}.`, {
    why: problem,
    fix: remedy,
  });
}

/** Returns the name of the TXT record that names the owner of a host's A record. */
export function ownershipName(host: string): string {
  return `_${HERITAGE}.${qualified(host)}`;
}

/** The address that an A record had. Resolvers may give it until a time, in milliseconds since 1970. */
interface FormerAddress {
  address: string;
  until: number;
}

function ownershipRecord(host: string, owner: string, former?: FormerAddress): RecordSet {
  const note = former ? `,former=${former.address},until=${new Date(former.until).toISOString()}` : "";
  const text = `heritage=${HERITAGE},owner=${owner}${note}`;
  return { name: ownershipName(host), type: "TXT", ttl: NEW_TTL, rrdatas: [quoted(text)] };
}

const OWNERSHIP = new RegExp(`^heritage=${HERITAGE},owner=(.+?)(?:,former=([^,]+),until=([^,]+))?$`);

/** Returns what a TXT record says, nothing if it is not in this action's format. */
function ownershipIn(record: RecordSet | undefined): { owner?: string; former?: FormerAddress } {
  const [text = "", ...more] = record?.rrdatas ?? [];
  const [, owner, address, until] = OWNERSHIP.exec(unquoted(text)) ?? [];
  if (more.length > 0 || owner === undefined) return {};
  if (address === undefined || until === undefined) return { owner };
  return { owner, former: { address, until: Date.parse(until) } };
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

/** Returns the instruction to create the TXT record that hands a host over to an owner. */
function handOver({ ownership }: ReturnType<typeof recordsOf>, { host, owner }: HostRecord): string {
  const { name, ttl, type, rrdatas } = ownershipRecord(host, owner);
  return `${ownership ? "replace its TXT record by" : "create the record"} ${name} ${ttl} IN ${type} ${rrdatas}`;
}

/** Longest character-string of a TXT record, in bytes (RFC 1035, 3.3). */
const CHARACTER_STRING = 255;

/** Returns a text as TXT data in zone file format, which the API uses. */
function quoted(text: string): string {
  const parts = text.match(new RegExp(`.{1,${CHARACTER_STRING}}`, "gs")) ?? [""];
  return parts.map((part) => `"${part.replace(/["\\]/g, "\\$&")}"`).join(" ");
}

/** Returns the text of TXT data in zone file format. */
function unquoted(data: string): string {
  const parts = [...data.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, part = ""]) => part);
  return (parts.length > 0 ? parts.join("") : data).replace(/\\(.)/g, "$1");
}
