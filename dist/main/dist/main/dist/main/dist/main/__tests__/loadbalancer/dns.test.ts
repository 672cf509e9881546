import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { DnsRecords } from "../../local-gke/dns/records.ts";
import { startDnsServer } from "../../local-gke/dns/server.ts";
import {
  type DnsResult,
  dnsAdvice,
  type HostAddresses,
  lookUpCaa,
  lookUpHost,
} from "../../src/loadbalancer/dns.ts";

const HOST = "my-release.milvus.io";
const ADDRESS = "203.0.113.7";
const LIMIT = 10_000;
const NEVER = new AbortController().signal;

/** Starts a DNS server that ends with the test, and returns the environment that leads to it. */
async function startDns(fill: (records: DnsRecords) => void): Promise<NodeJS.ProcessEnv> {
  const records = new DnsRecords();
  fill(records);
  const server = await startDnsServer(records);
  onTestFinished(() => server.stop());
  return { GHA_ENDPOINT_OVERRIDE_resolver: server.address };
}

/** Starts a DNS server that hears everything and says nothing, or says `rcode`. */
async function startBadDns(rcode?: number) {
  const queries: Buffer[] = [];
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  socket.on("message", (query, { port, address }) => {
    queries.push(query);
    if (rcode === undefined) return;
    const answer = Buffer.from(query);
    answer.writeUInt16BE(0x8180 | rcode, 2);
    socket.send(answer, port, address);
  });
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return { queries, environment: { GHA_ENDPOINT_OVERRIDE_resolver: `127.0.0.1:${socket.address().port}` } };
}

describe("lookUpHost", () => {
  test.each<[string, (records: DnsRecords) => void, DnsResult<HostAddresses>]>([
    [
      "addresses of both kinds, in order",
      (records) => {
        records.set(HOST, "A", ["203.0.113.9", "203.0.113.7"]);
        records.set(HOST, "AAAA", ["2001:db8::7"]);
      },
      {
        state: "resolved",
        addresses: ["203.0.113.7", "203.0.113.9"],
        ipv6Addresses: ["2001:db8::7"],
        alias: undefined,
      },
    ],
    [
      "an alias",
      (records) => {
        records.set(HOST, "CNAME", ["lb.example.com."]);
        records.set("lb.example.com", "A", [ADDRESS]);
      },
      { state: "resolved", addresses: [ADDRESS], ipv6Addresses: [], alias: "lb.example.com" },
    ],
    ["no such name", () => {}, { state: "none" }],
    ["a name without addresses", (records) => records.set(HOST, "TXT", ['"x"']), { state: "none" }],
  ])("%s", async (_, fill, expected) => {
    expect(await lookUpHost(HOST, await startDns(fill), NEVER, LIMIT)).toEqual(expected);
  });

  test("returns unknown if the server fails", async () => {
    const { environment } = await startBadDns(2);
    const found = await lookUpHost(HOST, environment, NEVER, LIMIT);
    expect(found).toMatchObject({ state: "unknown", why: expect.stringContaining("ESERVFAIL") });
  });

  test("returns unknown if the server never answers", async () => {
    const { environment } = await startBadDns();
    const found = await lookUpHost(HOST, environment, NEVER, 50);
    expect(found).toEqual({ state: "unknown", why: "no answer within 0.05 s" });
  });

  test("returns unknown if the server address is invalid", async () => {
    const environment = { GHA_ENDPOINT_OVERRIDE_resolver: "ns.example.com" };
    expect(await lookUpHost(HOST, environment, NEVER, LIMIT)).toMatchObject({ state: "unknown" });
  });

  test("throws when the job is cancelled", async () => {
    const { environment, queries } = await startBadDns();
    const cancellation = new AbortController();
    const outcome = expect(lookUpHost(HOST, environment, cancellation.signal, LIMIT)).rejects.toThrow(
      "cancelled",
    );
    await expect.poll(() => queries.length).toBeGreaterThan(0);
    cancellation.abort(new Error("cancelled"));
    await outcome;
  });
});

describe("lookUpCaa", () => {
  test.each<[string, (records: DnsRecords) => void, Awaited<ReturnType<typeof lookUpCaa>>]>([
    [
      "the host's own",
      (records) => {
        records.set(HOST, "CAA", ['0 issue "pki.goog"', '128 iodef "mailto:ca@milvus.io"']);
        records.set("milvus.io", "CAA", ['0 issue "letsencrypt.org"']);
      },
      { state: "resolved", domain: HOST, records: ['0 issue "pki.goog"', '128 iodef "mailto:ca@milvus.io"'] },
    ],
    [
      "those of the nearest domain above",
      (records) => records.set("milvus.io", "CAA", ['0 issue ";"']),
      { state: "resolved", domain: "milvus.io", records: ['0 issue ";"'] },
    ],
    ["none, so that everybody may", (records) => records.set(HOST, "A", [ADDRESS]), { state: "none" }],
  ])("%s", async (_, fill, expected) => {
    const found = await lookUpCaa(HOST, await startDns(fill), NEVER, LIMIT);
    if (found.state === "resolved") found.records.sort();
    expect(found).toEqual(expected);
  });
});

describe("dnsAdvice", () => {
  const resolved = (members: Partial<HostAddresses>): DnsResult<HostAddresses> => ({
    state: "resolved",
    addresses: [],
    ipv6Addresses: [],
    alias: undefined,
    ...members,
  });
  const record = `${HOST}. 300 IN A ${ADDRESS}`;

  test.each([
    ["the address", resolved({ addresses: [ADDRESS] })],
    ["an alias of it", resolved({ addresses: [ADDRESS], alias: "lb.example.com" })],
  ])("returns nothing: %s", (_, found) => {
    expect(dnsAdvice(HOST, ADDRESS, found)).toBeUndefined();
  });

  const elsewhere = resolved({ addresses: ["198.51.100.1"] });
  test.each<[string, DnsResult<HostAddresses>, string | undefined, string]>([
    [
      "no record",
      { state: "none" },
      undefined,
      `DNS has no address for ${HOST}, the load balancer is at ${ADDRESS}: create the record ${record}`,
    ],
    [
      "another address",
      elsewhere,
      undefined,
      `${HOST} points to 198.51.100.1; the load balancer is at ${ADDRESS}: make its A record ${record}`,
    ],
    [
      "one address too many",
      resolved({ addresses: ["198.51.100.1", ADDRESS] }),
      undefined,
      `${HOST} points to 198.51.100.1, ${ADDRESS}; the load balancer is at ${ADDRESS}: make its A record ${record}`,
    ],
    [
      "an alias of another address",
      resolved({ addresses: ["198.51.100.1"], alias: "lb.example.com" }),
      undefined,
      `${HOST} points to 198.51.100.1, as an alias (CNAME) of lb.example.com; the load balancer is at ${ADDRESS}: make its only record ${record}`,
    ],
    [
      "an IPv6 address beside the right one",
      resolved({ addresses: [ADDRESS], ipv6Addresses: ["2001:db8::7"] }),
      undefined,
      `${HOST} points to ${ADDRESS}, 2001:db8::7; the load balancer is at ${ADDRESS}, and has no IPv6 address: delete the AAAA record`,
    ],
    [
      "an IPv6 address beside a wrong one",
      resolved({ addresses: ["198.51.100.1"], ipv6Addresses: ["2001:db8::7"] }),
      "milvus",
      `${HOST} points to 198.51.100.1, 2001:db8::7; the load balancer is at ${ADDRESS}, and has no IPv6 address: delete the AAAA record, and make its A record ${record}`,
    ],
    [
      "unknown",
      { state: "unknown", why: "no answer within 5 s" },
      undefined,
      `What DNS says of ${HOST} is not known (no answer within 5 s). It must say: ${record}`,
    ],
  ])("%s", (_, found, zone, expected) => {
    expect(dnsAdvice(HOST, ADDRESS, found, { zone })).toBe(expected);
  });

  test.each([elsewhere, { state: "none" } as const])(
    "a record in Cloud DNS that the world doesn't see: %o",
    (found) => {
      const advice = dnsAdvice(HOST, ADDRESS, found, { zone: "milvus" });
      expect(advice).toContain(
        `the load balancer is at ${ADDRESS}: the Cloud DNS zone milvus says ${ADDRESS}`,
      );
      expect(advice).toContain("name servers are those of the zone");
    },
  );
});
