import { expect, test } from "vitest";
import { type Change, ManagedZone, refusals } from "../../local-gke/dns/managed-zone.ts";
import type { RecordSet } from "../../local-gke/dns/record-types.ts";
import { DnsRecords } from "../../local-gke/dns/records.ts";

const HOST = "my-release.milvus.io.";
const A: RecordSet = { name: HOST, type: "A", ttl: 300, values: ["192.0.2.1", "192.0.2.2"] };
const TXT: RecordSet = { name: HOST, type: "TXT", ttl: 300, values: ['"owner=x"'] };
const CNAME: RecordSet = { name: HOST, type: "CNAME", ttl: 300, values: ["milvus.io."] };

function zoneWith(present: RecordSet[], settings: { visibility?: "private"; delegated?: false } = {}) {
  const world = new DnsRecords();
  const zone = new ManagedZone(
    { name: "my-zone", dnsName: "Milvus.io", visibility: "public", delegated: true, ...settings },
    world,
  );
  zone.change({ additions: present, deletions: [] });
  return { zone, world };
}

interface Case {
  change: string;
  present?: RecordSet[];
  additions?: RecordSet[];
  deletions?: RecordSet[];
  refused: (readonly [code: number, reason: string, message?: string])[];
}

const NAME = "entity.change.additions[0].name";

test.each<Case>([
  { change: "an addition", additions: [A, TXT], refused: [] },
  { change: "a replacement", present: [A], deletions: [A], additions: [{ ...A, ttl: 60 }], refused: [] },
  {
    change: "a deletion with values in another order and names in another case",
    present: [A],
    deletions: [{ ...A, name: HOST.toUpperCase(), values: A.values.toReversed() }],
    refused: [],
  },
  {
    change: "an addition of an existing set",
    present: [A],
    additions: [{ ...A, values: ["192.0.2.9"] }],
    refused: [
      [409, "alreadyExists", `The resource 'entity.change.additions[0]' named '${HOST} (A)' already exists`],
    ],
  },
  {
    change: "two additions of one set",
    additions: [A, { ...A, ttl: 60 }],
    refused: [[409, "alreadyExists"]],
  },
  {
    change: "a deletion with another TTL",
    present: [A],
    deletions: [{ ...A, ttl: 60 }],
    refused: [[412, "conditionNotMet", "Precondition not met for 'entity.change.deletions[0]'"]],
  },
  {
    change: "a deletion with fewer values",
    present: [A],
    deletions: [{ ...A, values: ["192.0.2.1"] }],
    refused: [[412, "conditionNotMet"]],
  },
  {
    change: "a deletion of a missing set",
    present: [A],
    deletions: [A, TXT],
    refused: [
      [404, "notFound", `The 'entity.change.deletions[1]' resource named '${HOST} (TXT)' does not exist.`],
    ],
  },
  {
    change: "several mistakes",
    present: [A],
    deletions: [TXT, { ...A, ttl: 60 }],
    additions: [{ ...TXT, name: "x.example.com." }],
    refused: [
      [404, "notFound"],
      [412, "conditionNotMet"],
      [400, "invalid"],
    ],
  },
  {
    change: "a name outside of the zone",
    additions: [{ ...A, name: "evil-milvus.io." }],
    refused: [[400, "invalid", `Invalid value for '${NAME}': 'evil-milvus.io.'`]],
  },
  {
    change: "a name without a trailing dot",
    additions: [{ ...A, name: "my-release.milvus.io" }],
    refused: [[400, "invalid", `Invalid value for '${NAME}': 'my-release.milvus.io'`]],
  },
  { change: "an invalid name", additions: [{ ...A, name: "a..milvus.io." }], refused: [[400, "invalid"]] },
  {
    change: "an invalid value",
    additions: [{ ...A, values: ["192.0.2.1", "milvus.io."] }],
    refused: [[400, "invalid", "Invalid value for 'entity.change.additions[0].rrdata[1]': 'milvus.io.'"]],
  },
  { change: "no value", additions: [{ ...A, values: [] }], refused: [[400, "invalid"]] },
  {
    change: "an alias beside other records",
    present: [A],
    additions: [CNAME],
    refused: [[400, "cnameResourceRecordSetConflict"]],
  },
  {
    change: "other records beside an alias",
    present: [CNAME],
    additions: [TXT],
    refused: [[400, "cnameResourceRecordSetConflict"]],
  },
  {
    change: "an alias instead of other records",
    present: [A],
    deletions: [A],
    additions: [CNAME],
    refused: [],
  },
])("Cloud DNS checks $change", ({ present = [], additions = [], deletions = [], refused }) => {
  const found = refusals(zoneWith(present).zone, { additions, deletions });
  expect(found.map(({ code, reason }) => [code, reason])).toEqual(
    refused.map(([code, reason]) => [code, reason]),
  );
  const texts = refused.map(([, , message], index) => message ?? found[index]?.message);
  expect(found.map(({ message }) => message)).toEqual(texts);
});

test("public DNS has a change once it is published, and nothing of a withdrawn zone", () => {
  const { zone, world } = zoneWith([]);
  expect(world.records("milvus.io", "NS")?.values).toHaveLength(4);
  const change: Change = { additions: [A], deletions: [] };
  zone.change(change);
  expect([zone.records.addresses(HOST), world.addresses(HOST)]).toEqual([A.values, []]);
  zone.publish(change);
  expect(world.addresses(HOST)).toEqual(A.values);
  world.set("other.io", "A", ["192.0.2.5"]);
  zone.withdraw();
  expect(world.below(".").map(({ name }) => name)).toEqual(["other.io."]);
});

test.each([{ visibility: "private" as const }, { delegated: false as const }])(
  "public DNS never has the records of a zone with %o",
  (settings) => {
    const { zone, world } = zoneWith([A], settings);
    zone.publish({ additions: [A], deletions: [] });
    expect(zone.records.addresses(HOST)).toEqual(A.values);
    expect(world.below(".")).toEqual([]);
  },
);
