import { beforeEach, expect, test } from "vitest";
import type { Fault } from "../../local-gke/cloud.ts";
import { ManagedZone as LocalZone } from "../../local-gke/dns/managed-zone.ts";
import { getManagedZone, readRecords, removeHostRecord, setHostRecord } from "../../src/gke/cloud-dns.ts";
import type { GoogleProject } from "../../src/gke/google-api.ts";
import type { HostRecord } from "../../src/gke/host-record.ts";
import { type Google, projectOf, startGoogle } from "../support/google.ts";
import { captureLog } from "../support/job-log.ts";

const HOST = "my-release.milvus.io";
const OWNERSHIP = `_milvus-gke-load-balancer.${HOST}`;
const OWNER = "my-project/us-central1/my-cluster/default/my-release";
const WANTED: HostRecord = { host: HOST, address: "203.0.113.7", owner: OWNER };
const TXT = `"heritage=milvus-gke-load-balancer,owner=${OWNER}"`;

const zone = { name: "milvus", dnsName: "milvus.io.", visibility: "public" } as const;
let google: Google;
let project: GoogleProject;
let local: LocalZone;
/** What somebody else does before the request with that number. */
let meanwhile: Record<number, () => void>;

captureLog();
beforeEach(async () => {
  google = await startGoogle();
  local = new LocalZone({ ...zone, delegated: true }, google.cloud.dns);
  google.cloud.managedZones.set(zone.name, local);
  meanwhile = {};
  let requests = 0;
  const plain = await projectOf(google);
  project = {
    ...plain,
    accessToken: () => {
      meanwhile[requests++]?.();
      return plain.accessToken();
    },
  };
});

test("a record is created, kept, changed and removed, as resolvers see it", async () => {
  expect(await getManagedZone("milvus", project)).toMatchObject(zone);
  expect(await setHostRecord(zone, WANTED, project)).toMatchObject({ action: "create" });
  expect(google.requests.at(-1)).toMatch(/^GET .*\/changes\/1$/);
  expect(google.cloud.dns.addresses(HOST)).toEqual(["203.0.113.7"]);
  expect(google.cloud.dns.records(OWNERSHIP, "TXT")?.values).toEqual([TXT]);

  expect(await setHostRecord(zone, WANTED, project)).toMatchObject({ action: "keep" });
  const moved = { ...WANTED, address: "203.0.113.8" };
  expect(await setHostRecord(zone, moved, project)).toMatchObject({
    action: "change",
    before: "203.0.113.7",
  });
  expect(google.cloud.dns.addresses(HOST)).toEqual(["203.0.113.8"]);

  const unwanted = { ...moved, address: undefined, staying: [] };
  expect(await removeHostRecord(zone, unwanted, project)).toMatchObject({ kept: undefined });
  expect(await readRecords(zone, HOST, project)).toEqual([]);
  expect(google.cloud.dns.addresses(HOST)).toEqual([]);
  expect(await removeHostRecord(zone, unwanted, project)).toEqual({ deletions: [], kept: undefined });
});

test("somebody else's record is refused and not changed", async () => {
  local.records.set(HOST, "A", ["198.51.100.1"]);
  await expect(setHostRecord(zone, WANTED, project)).rejects.toThrow(
    /can't manage the host's A record in the Cloud DNS zone milvus.*points to 198\.51\.100\.1.*hand it over/s,
  );
  expect(local.records.records(HOST, "A")?.values).toEqual(["198.51.100.1"]);
});

const theirZone = () => local.records.set(OWNERSHIP, "TXT", [TXT]);
test.each<[string, () => void, () => void]>([
  ["deleted", () => local.records.set(HOST, "A", ["198.51.100.1"]), () => local.records.delete(HOST, "A")],
  [
    "changed",
    () => local.records.set(HOST, "A", ["198.51.100.1"]),
    () => local.records.set(HOST, "A", ["198.51.100.2"]),
  ],
  ["created", () => {}, () => local.records.set(HOST, "A", ["198.51.100.2"])],
])("a record that is %s in between is read again", async (_, before, change) => {
  theirZone();
  before();
  meanwhile = { 2: change };
  const { additions } = await setHostRecord(zone, WANTED, project);
  expect(additions[0]).toMatchObject({ type: "A" });
  expect(local.records.records(HOST, "A")?.values).toEqual(["203.0.113.7"]);
  const owned = expect.stringContaining(`owner=${OWNER}`);
  expect(local.records.records(OWNERSHIP, "TXT")?.values).toEqual([owned]);
});

test("a record that changes after each read is given up", async () => {
  theirZone();
  const change = (address: string) => () => local.records.set(HOST, "A", [address]);
  meanwhile = { 2: change("198.51.100.1"), 5: change("198.51.100.2") };
  await expect(setHostRecord(zone, WANTED, project)).rejects.toThrow(
    /Could not change the records of my-release\.milvus\.io.*something else changes them/s,
  );
});

test.each<[string, Fault, string, RegExp]>([
  [
    "the API is disabled",
    "disabled-dns-api",
    "milvus",
    /Cloud DNS API is not enabled.*dns\.googleapis\.com/s,
  ],
  ["there is no such zone", "refuse-dns-changes", "milvus.io", /no Cloud DNS zone milvus\.io.*dns_zone/s],
  ["nothing may be changed", "refuse-dns-changes", "milvus", /may not change.*Forbidden.*roles\/dns\.admin/s],
])("it is said when %s", async (_, fault, name, message) => {
  google.cloud.setFault(fault, true);
  const setting = async () => setHostRecord(await getManagedZone(name, project), WANTED, project);
  await expect(setting()).rejects.toThrow(message);
});
