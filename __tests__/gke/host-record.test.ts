import { describe, expect, test } from "vitest";
import type { RecordSet } from "../../src/gke/dns-resources.ts";
import { decideRecord, decideRemoval, type HostRecord, problemOfZone } from "../../src/gke/host-record.ts";

const HOST = "my-release.milvus.io";
const OWNERSHIP = `_milvus-gke-load-balancer.${HOST}`;
const OWNER = "my-project/us-central1/my-cluster/default/my-release";
const WANTED: HostRecord = { host: HOST, address: "203.0.113.7", owner: OWNER };
const NOW = Date.parse("2030-01-02T03:04:05Z");
const TXT = `"heritage=milvus-gke-load-balancer,owner=${OWNER}"`;

function recordSet(type: string, rrdatas: string[], ttl = 300): RecordSet {
  return { name: `${type === "TXT" ? OWNERSHIP : HOST}.`, type, ttl, rrdatas };
}
const ours = recordSet("TXT", [TXT]);
const theirs = recordSet("TXT", [TXT.replace("my-cluster", "other-cluster")]);
const here = recordSet("A", ["203.0.113.7"]);
const there = recordSet("A", ["198.51.100.1"], 60);

describe("decideRecord", () => {
  test.each<[string, RecordSet[]]>([
    ["ours and right", [here, ours]],
    ["right, made by somebody", [here]],
    ["right, and someone else's", [here, theirs]],
    ["written with capitals", [{ ...here, name: "My-Release.Milvus.IO." }]],
  ])("keeps what is %s", (_, records) => {
    expect(decideRecord(records, WANTED, NOW)).toMatchObject({
      action: "keep",
      deletions: [],
      additions: [],
    });
  });

  test("creates both records if there are none", () => {
    expect(decideRecord([], WANTED, NOW)).toEqual({
      action: "create",
      deletions: [],
      additions: [here, ours],
      before: undefined,
      staleSeconds: 300,
    });
  });

  test("creates an A record that someone deleted", () => {
    expect(decideRecord([ours], WANTED, NOW)).toMatchObject({
      action: "create",
      deletions: [],
      additions: [here],
    });
  });

  const former = ",former=198.51.100.1,until=2030-01-02T03:06:05.000Z";
  const moved = recordSet("TXT", [TXT.replace(/"$/, `${former}"`)]);

  test("changes its own record, keeps the TTL, and notes the former address", () => {
    expect(decideRecord([there, ours], WANTED, NOW)).toEqual({
      action: "change",
      deletions: [there, ours],
      additions: [{ ...here, ttl: 60 }, moved],
      before: "198.51.100.1",
      staleSeconds: 60,
    });
  });

  test("notes the address that the record had last", () => {
    const change = decideRecord([here, moved], { ...WANTED, address: "203.0.113.8" }, NOW);
    const [, note] = change.action === "change" ? change.additions : [];
    expect(note?.rrdatas.join()).toMatch(/,former=203\.0\.113\.7,until=2030-01-02T03:10:05\.000Z"$/);
    expect(note?.rrdatas.join()).not.toContain("198.51.100.1");
  });

  test.each([
    ["some time after its move", 119_500, moved, { before: "198.51.100.1", staleSeconds: 1 }],
    ["when nobody has the former address any more", 120_000, moved, { staleSeconds: 0 }],
    [
      "of an unreadable note",
      0,
      recordSet("TXT", [TXT.replace(/"$/, ',former=x,until=soon"')]),
      { staleSeconds: 0 },
    ],
  ])("tells how long resolvers may give the former address: %s", (_, later, note, stale) => {
    const decision = decideRecord([here, note], WANTED, NOW + later);
    expect(decision).toMatchObject({ action: "keep", deletions: [], additions: [], ...stale });
  });

  const handOver = `_milvus-gke-load-balancer.${HOST}. 300 IN TXT ${TXT}`;
  test.each<[string, RecordSet[], string, string]>([
    [
      "a record of nobody's",
      [there],
      `${HOST} points to 198.51.100.1, and that record was not made by this action`,
      `delete it, or hand it over: create the record ${handOver}.`,
    ],
    [
      "another cluster's record",
      [there, theirs],
      `${HOST} points to 198.51.100.1 and is managed by my-project/us-central1/other-cluster/default/my-release, not by ${OWNER}`,
      `replace its TXT record by ${handOver}, if the other owner no longer needs it.`,
    ],
    [
      "another cluster's name",
      [theirs],
      "has no A record and is managed by my-project/us-central1/other",
      handOver,
    ],
    [
      "a TXT record that tells more than one owner",
      [there, recordSet("TXT", [TXT, '"x"'])],
      `is managed by someone else, not by ${OWNER}`,
      handOver,
    ],
    [
      "several addresses of ours",
      [recordSet("A", ["203.0.113.7", "198.51.100.1"]), ours],
      "points to 203.0.113.7, 198.51.100.1: someone changed the record",
      "reduce it to one address",
    ],
    [
      "a routing policy",
      [{ ...there, rrdatas: [] }, ours],
      "has an A record with a routing policy",
      "delete",
    ],
    [
      "an alias",
      [recordSet("CNAME", ["lb.example.com."]), ours],
      "is an alias (CNAME) of lb.example.com.",
      "CNAME",
    ],
    ["an IPv6 address", [here, recordSet("AAAA", ["2001:db8::1"]), ours], "IPv6 address 2001:db8::1", "AAAA"],
  ])("refuses %s", (_, records, problem, remedy) => {
    const decision = decideRecord(records, WANTED, NOW);
    expect(decision).toMatchObject({
      action: "refuse",
      problem: expect.stringContaining(problem),
      remedy: expect.stringContaining(remedy),
    });
  });

  test.each(['say "hello"', "back\\slash", "x".repeat(600)])(
    "reads back an owner that it wrote: %s",
    (owner) => {
      const wanted = { ...WANTED, owner };
      const created = decideRecord([], wanted, NOW);
      const additions = created.action === "create" ? created.additions : [];
      expect(decideRecord(additions, { ...wanted, address: "203.0.113.8" }, NOW)).toMatchObject({
        action: "change",
      });
      expect(decideRecord(additions, { ...WANTED, address: "203.0.113.8" }, NOW)).toMatchObject({
        action: "refuse",
      });
      const strings = additions.flatMap(({ rrdatas }) => rrdatas.join().match(/"([^"\\]|\\.)*"/g) ?? []);
      expect(Math.max(...strings.map((text) => text.length))).toBeLessThanOrEqual(255 + 2 + 2);
    },
  );
});

describe("decideRemoval", () => {
  const unwanted = { host: HOST, owner: OWNER, address: "203.0.113.7", staying: ["198.51.100.9"] };
  test.each<[string, RecordSet[], string | undefined, RecordSet[], string | undefined]>([
    ["both records of ours", [here, ours], "203.0.113.7", [here, ours], undefined],
    ["whatever ours says, when nobody knows the address", [there, ours], undefined, [there, ours], undefined],
    ["nothing where nothing is", [], "203.0.113.7", [], undefined],
    [
      "nothing that leads to a load balancer which stays",
      [recordSet("A", ["198.51.100.9"]), ours],
      undefined,
      [],
      `${HOST} points to 198.51.100.9, a load balancer that stays`,
    ],
    ["the TXT record alone", [ours], "203.0.113.7", [ours], undefined],
    [
      "not what leads elsewhere by now",
      [there, ours],
      "203.0.113.7",
      [ours],
      `${HOST} points to 198.51.100.1, not to the load balancer at 203.0.113.7`,
    ],
    [
      "not what leads to several, when nobody knows the address",
      [recordSet("A", ["203.0.113.7", "203.0.113.8"]), ours],
      undefined,
      [ours],
      `${HOST} points to 203.0.113.7, 203.0.113.8, not to the load balancer alone`,
    ],
    ["not what is nobody's", [here], "203.0.113.7", [], "that record was not made by this action"],
    [
      "not what is someone else's",
      [here, theirs],
      undefined,
      [],
      "that record is managed by my-project/us-central1/other",
    ],
  ])("takes away %s", (_, records, address, deletions, kept) => {
    const removal = decideRemoval(records, { ...unwanted, address });
    expect(removal.deletions).toEqual(deletions);
    if (kept === undefined) expect(removal.kept).toBeUndefined();
    else expect(removal.kept).toContain(kept);
  });
});

describe("problemOfZone", () => {
  const zone = { name: "milvus", dnsName: "milvus.io.", visibility: "public" } as const;
  const hidden = { ...zone, visibility: "private" } as const;
  test.each([
    ["a host in it", zone, HOST, "external"],
    ["its own name", zone, "milvus.io", "external"],
    ["capitals", zone, "My-Release.MILVUS.io", "external"],
    ["a private zone for an internal load balancer", hidden, HOST, "internal"],
  ] as const)("none: %s", (_, of, host, loadBalancer) => {
    expect(problemOfZone(of, host, loadBalancer)).toBeUndefined();
  });

  test.each([
    [
      "another domain",
      zone,
      "my-release.example.com",
      "external",
      /not in the Cloud DNS zone milvus.*milvus\.io\./s,
    ],
    ["a name that only ends alike", zone, "notmilvus.io", "internal", /not in the Cloud DNS zone/],
    ["a private zone", hidden, HOST, "external", /is private.*load_balancer: internal/s],
  ] as const)("%s", (_, of, host, loadBalancer, message) => {
    expect(problemOfZone(of, host, loadBalancer)?.message).toMatch(message);
  });
});
