import { describe, expect, test } from "vitest";
import type { RecordType } from "../../local-gke/dns/record-types.ts";
import { DnsRecords } from "../../local-gke/dns/records.ts";

function recordsOf(sets: [name: string, type: RecordType, ...values: string[]][]): DnsRecords {
  const records = new DnsRecords();
  for (const [name, type, ...values] of sets) records.set(name, type, values);
  return records;
}

const records = recordsOf([
  ["milvus.io", "NS", "ns.example.com."],
  ["my-release.milvus.io", "A", "192.0.2.1", "192.0.2.2"],
  ["alias.milvus.io", "CNAME", "My-Release.milvus.io."],
  ["alias-of-alias.milvus.io", "CNAME", "alias.milvus.io."],
  ["dangling.milvus.io", "CNAME", "nobody.example.org."],
  ["loop.milvus.io", "CNAME", "loop.milvus.io."],
  ["*.apps.milvus.io", "A", "192.0.2.9"],
  ["known.apps.milvus.io", "TXT", '"here"'],
  ["below.known.apps.milvus.io", "TXT", '"here"'],
]);

test.each<[host: string, addresses: string[]]>([
  ["my-release.milvus.io", ["192.0.2.1", "192.0.2.2"]],
  ["MY-release.Milvus.io.", ["192.0.2.1", "192.0.2.2"]],
  ["alias.milvus.io", ["192.0.2.1", "192.0.2.2"]],
  ["alias-of-alias.milvus.io", ["192.0.2.1", "192.0.2.2"]],
  ["dangling.milvus.io", []],
  ["loop.milvus.io", []],
  ["any.apps.milvus.io", ["192.0.2.9"]],
  ["any.at.all.apps.milvus.io", ["192.0.2.9"]],
  ["known.apps.milvus.io", []],
  ["any.known.apps.milvus.io", []],
  ["apps.milvus.io", []],
  ["milvus.io", []],
  ["other.io", []],
])("%s has the addresses %j", (host, addresses) => {
  expect(records.addresses(host)).toEqual(addresses);
});

test.each<[name: string, exists: boolean]>([
  ["my-release.milvus.io", true],
  ["apps.milvus.io", true],
  ["any.apps.milvus.io", true],
  ["any.known.apps.milvus.io", false],
  ["dangling.milvus.io", false],
  ["other.milvus.io", false],
  ["io", true],
])("%s exists: %s", (name, exists) => {
  expect(records.resolve(name, "AAAA").exists).toBe(exists);
});

test("an answer contains the requested name, after its aliases", () => {
  expect(records.resolve("Alias.milvus.io", "A").answers).toMatchObject([
    { name: "alias.milvus.io.", type: "CNAME" },
    { name: "my-release.milvus.io.", type: "A" },
  ]);
  expect(records.resolve("any.apps.milvus.io", "A").answers).toMatchObject([{ name: "any.apps.milvus.io." }]);
});

describe("a change", () => {
  test("replaces the whole set and emits the name", () => {
    const changing = new DnsRecords();
    const emitted: string[] = [];
    changing.on("change", (name) => emitted.push(name));
    changing.set("A.milvus.io", "A", ["192.0.2.1"]);
    changing.set("a.milvus.io.", "A", ["192.0.2.2"], 60);
    expect(changing.records("a.milvus.io", "A")).toEqual({
      name: "a.milvus.io.",
      type: "A",
      values: ["192.0.2.2"],
      ttl: 60,
    });
    expect(changing.delete("a.milvus.IO", "A")).toBe(true);
    expect(changing.delete("a.milvus.io", "A")).toBe(false);
    expect(emitted).toEqual(["a.milvus.io.", "a.milvus.io.", "a.milvus.io."]);
  });

  test.each<[name: string, type: RecordType, value: string]>([
    ["a.milvus.io", "A", "192.0.2"],
    ["a.milvus.io", "A", "2001:db8::1"],
    ["a.milvus.io", "AAAA", "192.0.2.1"],
    ["a.milvus.io", "AAAA", "::ffff:192.0.2.1"],
    ["a.milvus.io", "CAA", "issue pki.goog"],
    ["a.milvus.io", "CAA", '256 issue "pki.goog"'],
    ["a.milvus.io", "CNAME", "a..b."],
    ["a.milvus.io", "SOA", "ns.milvus.io. hostmaster.milvus.io."],
    ["a.milvus.io", "TXT", `"${"x".repeat(256)}"`],
    ["a.milvus.io", "TXT", ""],
    ["a..milvus.io", "A", "192.0.2.1"],
    ["ä.milvus.io", "A", "192.0.2.1"],
    [`${"x".repeat(64)}.milvus.io`, "A", "192.0.2.1"],
  ])("to %s %s %s is refused", (name, type, value) => {
    expect(() => new DnsRecords().set(name, type, [value])).toThrow(Error);
  });
});
