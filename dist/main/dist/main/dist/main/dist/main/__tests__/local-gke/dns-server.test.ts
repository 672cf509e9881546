import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answer } from "../../local-gke/dns/message.ts";
import type { RecordType } from "../../local-gke/dns/record-types.ts";
import { DnsRecords } from "../../local-gke/dns/records.ts";
import { type DnsServer, startDnsServer } from "../../local-gke/dns/server.ts";

const LONG_TEXT = "x".repeat(255);
const SETS: [name: string, type: RecordType, ...values: string[]][] = [
  ["milvus.io", "SOA", "ns1.milvus.io. hostmaster.milvus.io. 1 21600 3600 259200 300"],
  ["milvus.io", "NS", "ns1.milvus.io.", "ns2.milvus.io."],
  ["milvus.io", "CAA", '0 issue "pki.goog"', '128 iodef "mailto:security@milvus.io"'],
  ["my-release.milvus.io", "A", "192.0.2.1", "192.0.2.2"],
  ["my-release.milvus.io", "AAAA", "2001:db8::1", "::1", "2001:db8:1:2:3:4:5:6"],
  ["my-release.milvus.io", "TXT", '"heritage=x,owner=y"', '"two" "strings"', '"a \\"b\\""'],
  ["alias.milvus.io", "CNAME", "my-release.milvus.io."],
  ["dangling.milvus.io", "CNAME", "nobody.milvus.io."],
  ["long.milvus.io", "TXT", ...[1, 2, 3].map((n) => `"${n}" "${LONG_TEXT}"`)],
];

const records = new DnsRecords();
for (const [name, type, ...values] of SETS) records.set(name, type, values, 60);

let server: DnsServer;
const resolver = new Resolver({ timeout: 5000, tries: 1 });
beforeAll(async () => {
  server = await startDnsServer(records);
  resolver.setServers([server.address]);
});
afterAll(() => server.stop());

test("A records have a TTL", async () => {
  expect(await resolver.resolve4("My-Release.milvus.io", { ttl: true })).toEqual([
    { address: "192.0.2.1", ttl: 60 },
    { address: "192.0.2.2", ttl: 60 },
  ]);
});

test("A records are found through an alias", async () => {
  expect(await resolver.resolve4("alias.milvus.io")).toEqual(["192.0.2.1", "192.0.2.2"]);
});

test("AAAA records are found", async () => {
  expect(await resolver.resolve6("my-release.milvus.io")).toEqual([
    "2001:db8::1",
    "::1",
    "2001:db8:1:2:3:4:5:6",
  ]);
});

test("CNAME, NS and SOA records are found", async () => {
  expect(await resolver.resolveCname("alias.milvus.io")).toEqual(["my-release.milvus.io"]);
  expect(await resolver.resolveNs("milvus.io")).toEqual(["ns1.milvus.io", "ns2.milvus.io"]);
  expect(await resolver.resolveSoa("milvus.io")).toMatchObject({
    nsname: "ns1.milvus.io",
    hostmaster: "hostmaster.milvus.io",
    refresh: 21600,
    minttl: 300,
  });
});

test("TXT records are found", async () => {
  expect(await resolver.resolveTxt("my-release.milvus.io")).toEqual([
    ["heritage=x,owner=y"],
    ["two", "strings"],
    ['a "b"'],
  ]);
});

test("CAA records are found", async () => {
  expect(await resolver.resolveCaa("milvus.io")).toMatchObject([
    { critical: 0, issue: "pki.goog" },
    { critical: 128, iodef: "mailto:security@milvus.io" },
  ]);
});

test("an answer that is too long for UDP is sent over TCP", async () => {
  expect(await resolver.resolveTxt("long.milvus.io")).toEqual([
    ["1", LONG_TEXT],
    ["2", LONG_TEXT],
    ["3", LONG_TEXT],
  ]);
});

test.each<[question: string, code: string, ask: () => Promise<unknown>]>([
  ["a missing name", "ENOTFOUND", () => resolver.resolve4("nobody.milvus.io")],
  ["an alias of a missing name", "ENOTFOUND", () => resolver.resolve4("dangling.milvus.io")],
  ["a type that the name does not have", "ENODATA", () => resolver.resolveCaa("my-release.milvus.io")],
  ["an unsupported type", "ENODATA", () => resolver.resolveMx("milvus.io")],
  ["an unsupported type of a missing name", "ENOTFOUND", () => resolver.resolveMx("nobody.milvus.io")],
])("a query for %s fails with %s", async (_question, code, ask) => {
  await expect(ask()).rejects.toMatchObject({ code });
});

test("a change applies immediately", async () => {
  records.set("new.milvus.io", "A", ["192.0.2.7"]);
  expect(await resolver.resolve4("new.milvus.io")).toEqual(["192.0.2.7"]);
  records.set("new.milvus.io", "A", ["192.0.2.8"]);
  expect(await resolver.resolve4("new.milvus.io")).toEqual(["192.0.2.8"]);
  records.delete("new.milvus.io", "A");
  await expect(resolver.resolve4("new.milvus.io")).rejects.toMatchObject({ code: "ENOTFOUND" });
});

describe("the DNS protocol", () => {
  const host = "127.0.0.1";
  const portOf = () => Number(server.address.split(":")[1]);
  /** A query for the A records of my-release.milvus.io, id 0x1234, recursion desired. */
  const query = Buffer.concat([
    Buffer.from("123401000001000000000000", "hex"),
    Buffer.from("\x0amy-release\x06milvus\x02io\0", "latin1"),
    Buffer.from("00010001", "hex"),
  ]);

  const overUdp = async (...messages: Buffer[]): Promise<Buffer> => {
    const socket = createSocket("udp4");
    try {
      for (const message of messages) socket.send(message, portOf(), host);
      const [reply] = await once(socket, "message");
      return reply;
    } finally {
      socket.close();
    }
  };

  test("a negative answer includes the zone's SOA record", async () => {
    const missing = Buffer.from(query);
    missing.write("x", 13);
    const reply = await overUdp(missing);
    expect(reply.toString("hex", 0, 12)).toBe("123481830001000000010000");
  });

  const longName = Buffer.concat(Array.from({ length: 5 }, () => Buffer.from(`\x3c${"x".repeat(60)}`)));
  const tooLong = Buffer.concat([query.subarray(0, 12), longName, Buffer.from("0000010001", "hex")]);

  test.each([
    ["a name that is too long", tooLong, "123481810000"],
    ["a malformed question", Buffer.concat([query.subarray(0, 12), Buffer.of(0xc0, 0x0c)]), "123481810000"],
    ["two questions", Buffer.concat([Buffer.from("123401000002", "hex"), query.subarray(6)]), "123481810000"],
    ["another opcode", Buffer.concat([Buffer.from("12342900", "hex"), query.subarray(4)]), "1234a9840001"],
  ])("a query with %s is refused", async (_what, message, start) => {
    expect((await overUdp(message)).toString("hex", 0, 6)).toBe(start);
  });

  test("a message that is not a query is ignored", async () => {
    const response = Buffer.concat([Buffer.from("99998180", "hex"), query.subarray(4)]);
    const reply = await overUdp(Buffer.of(1, 2, 3), response, query);
    expect(reply.toString("hex", 0, 8)).toBe("1234818000010002");
  });

  test("queries over TCP may arrive in any pieces", async () => {
    const prefixed = Buffer.concat([Buffer.of(0, query.length), query]);
    const socket = connect(portOf(), host);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.setNoDelay();
    socket.write(prefixed.subarray(0, 1));
    socket.write(prefixed.subarray(1, 20));
    socket.write(Buffer.concat([prefixed.subarray(20), prefixed]));
    const expected = 2 * (2 + (await overUdp(query)).length);
    while (Buffer.concat(chunks).length < expected) await once(socket, "data");
    socket.destroy();
    const reply = Buffer.concat(chunks);
    expect(reply.length).toBe(expected);
    expect(reply.toString("hex", 2, 10)).toBe("1234818000010002");
  });

  test("any message gets an answer within the length limit, or none", () => {
    const everything = new DnsRecords();
    everything.set("*", "TXT", [`"${LONG_TEXT}"`, `"${LONG_TEXT}"`]);
    const bytesOf = fc.oneof(
      fc.string({ minLength: 1, maxLength: 63 }).map((text) => Buffer.from(text)),
      fc.uint8Array({ minLength: 1, maxLength: 63 }),
    );
    const label = bytesOf.map((bytes) => Buffer.from([bytes.length, ...bytes]));
    const parts = fc.record({
      flags: fc.constantFrom("0000", "0100", "2800", "8000"),
      labels: fc.array(label, { maxLength: 6 }),
      end: fc.constantFrom("0000100001", "00ffff0001", "0000", "c00c", ""),
    });
    const question = parts.map(({ flags, labels, end }) =>
      Buffer.concat([Buffer.from(`1234${flags}0001000000000000`, "hex"), ...labels, Buffer.from(end, "hex")]),
    );
    const noise = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(question, noise), (bytes) => {
        const reply = answer(bytes, everything, 512);
        if (reply) {
          expect(reply.length).toBeLessThanOrEqual(512);
          expect(reply.subarray(0, 2)).toEqual(bytes.subarray(0, 2));
          expect(reply.readUInt16BE(2) & 0x8000).toBe(0x8000);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
