import { characterStrings, domainName, quoted, resourceRecord } from "./record-data.ts";
import { RECORD_TYPES, type RecordSet, type RecordType } from "./record-types.ts";
import { DnsRecords, isBelow, qualified } from "./records.ts";

export const NAME_SERVERS = ["a1", "a2", "a3", "a4"].map((name) => `ns-cloud-${name}.googledomains.com.`);

export interface ZoneSettings {
  name: string;
  dnsName: string;
  visibility: "public" | "private";
  /** Whether the registrar delegates the domain to Google, which makes a public zone visible. */
  delegated: boolean;
}

/** A change of whole record sets. */
export interface Change {
  additions: RecordSet[];
  deletions: RecordSet[];
}

/** Why Cloud DNS refuses a change. */
export interface Refusal {
  code: 400 | 404 | 409 | 412;
  reason: string;
  message: string;
}

export class ManagedZone implements ZoneSettings {
  readonly name: string;
  readonly dnsName: string;
  readonly visibility: "public" | "private";
  readonly delegated: boolean;
  readonly records = new DnsRecords();
  readonly #world: DnsRecords | undefined;

  /** @param world public DNS, which receives the records of a visible zone */
  constructor(settings: ZoneSettings, world: DnsRecords) {
    this.name = settings.name;
    this.dnsName = qualified(settings.dnsName);
    this.visibility = settings.visibility;
    this.delegated = settings.delegated;
    this.#world = settings.visibility === "public" && settings.delegated ? world : undefined;
    const [primary = ""] = NAME_SERVERS;
    const soa = `${primary} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300`;
    const additions: RecordSet[] = [
      { name: this.dnsName, type: "NS", ttl: 21600, values: NAME_SERVERS },
      { name: this.dnsName, type: "SOA", ttl: 21600, values: [soa] },
    ];
    this.change({ additions, deletions: [] });
    this.publish({ additions, deletions: [] });
  }

  /** Applies a change without {@link refusals} to the zone, not yet to public DNS. */
  change(change: Change): void {
    apply(change, this.records);
  }

  /** Applies a change to public DNS if the zone is visible there. */
  publish(change: Change): void {
    if (this.#world) apply(change, this.#world);
  }

  /** Removes all records of the zone from public DNS. */
  withdraw(): void {
    this.publish({ additions: [], deletions: this.records.below(this.dnsName) });
  }
}

function apply({ additions, deletions }: Change, records: DnsRecords): void {
  for (const { name, type } of deletions) records.delete(name, type);
  for (const { name, type, values, ttl } of additions) records.set(name, type, values, ttl);
}

/**
 * Lists why Cloud DNS refuses a change; empty if it accepts it. Cloud DNS applies a change completely or not
 * at all. A deletion must equal the existing set.
 */
export function refusals({ dnsName, records }: ManagedZone, { additions, deletions }: Change): Refusal[] {
  const has = (sets: RecordSet[], name: string, type: string) =>
    sets.some((set) => set.type === type && qualified(set.name) === qualified(name));
  /** Whether a set exists after the deletions. */
  const remains = (name: string, type: RecordType) =>
    records.records(name, type) !== undefined && !has(deletions, name, type);
  const refusedDeletions = deletions.flatMap((set, index): Refusal[] => {
    const entity = `entity.change.deletions[${index}]`;
    const present = records.records(set.name, set.type);
    if (!present) {
      const message = `The '${entity}' resource named '${set.name} (${set.type})' does not exist.`;
      return [{ code: 404, reason: "notFound", message }];
    }
    if (sameRecords(present, set)) return [];
    return [{ code: 412, reason: "conditionNotMet", message: `Precondition not met for '${entity}'` }];
  });
  const refusedAdditions = additions.flatMap((set, index): Refusal[] => {
    const entity = `entity.change.additions[${index}]`;
    const invalid = (field: string, value: unknown): Refusal[] => [
      { code: 400, reason: "invalid", message: `Invalid value for '${entity}.${field}': '${value}'` },
    ];
    const named = isEncodable(() => domainName(set.name));
    if (!named || !set.name.endsWith(".") || !isBelow(qualified(set.name), dnsName)) {
      return invalid("name", set.name);
    }
    if (set.values.length === 0) return invalid("rrdata", "");
    const wrong = set.values.findIndex((value) => !isEncodable(() => resourceRecord(set, value)));
    if (wrong >= 0) return invalid(`rrdata[${wrong}]`, set.values[wrong]);
    if (remains(set.name, set.type) || has(additions.slice(0, index), set.name, set.type)) {
      const message = `The resource '${entity}' named '${set.name} (${set.type})' already exists`;
      return [{ code: 409, reason: "alreadyExists", message }];
    }
    const others = RECORD_TYPES.filter(
      (type) => type !== set.type && (remains(set.name, type) || has(additions, set.name, type)),
    );
    if (others.length === 0 || (set.type !== "CNAME" && !others.includes("CNAME"))) return [];
    const message =
      `The resource record set '${entity}' is invalid because the DNS name '${set.name}' ` +
      "can't have a CNAME beside other records.";
    return [{ code: 400, reason: "cnameResourceRecordSetConflict", message }];
  });
  return [...refusedDeletions, ...refusedAdditions];
}

/** Formats a value as Cloud DNS stores it: strings are always quoted. */
export function normalized(type: RecordType, value: string): string {
  return type === "TXT" ? characterStrings(value).map(quoted).join(" ") : value;
}

function sameRecords(present: RecordSet, other: RecordSet): boolean {
  const valuesOf = ({ values }: RecordSet) => JSON.stringify(values.toSorted());
  return present.ttl === other.ttl && valuesOf(present) === valuesOf(other);
}

function isEncodable(encode: () => unknown): boolean {
  try {
    encode();
    return true;
  } catch {
    return false;
  }
}
