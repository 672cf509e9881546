import { describe, expect, test } from "vitest";
import { DnsRecords } from "../../local-gke/dns/records.ts";
import { caaAllows } from "../../local-gke/managed-certificates/caa.ts";

describe("CAA records let an issuer issue", () => {
  test.each<{ what: string; records: Record<string, string[]>; allowed: boolean }>([
    { what: "none", records: {}, allowed: true },
    { what: "its own", records: { "a.b.io": ['0 issue "pki.goog"'] }, allowed: true },
    { what: "without quotes", records: { "a.b.io": ["0 issue pki.goog"] }, allowed: true },
    {
      what: "with parameters",
      records: { "a.b.io": ['0 issue "pki.goog; validationmethods=http"'] },
      allowed: true,
    },
    {
      what: "one of several",
      records: { "a.b.io": ['0 issue "x.org"', '0 issue "pki.goog"'] },
      allowed: true,
    },
    { what: "another's", records: { "a.b.io": ['0 issue "x.org"'] }, allowed: false },
    { what: "nobody's", records: { "a.b.io": ['0 issue ";"'] }, allowed: false },
    { what: "another's for wildcards only", records: { "a.b.io": ['0 issuewild "x.org"'] }, allowed: true },
    { what: "where to report only", records: { "a.b.io": ['0 iodef "mailto:a@b.io"'] }, allowed: true },
    { what: "another's above", records: { "b.io": ['0 issue "x.org"'] }, allowed: false },
    {
      what: "its own, another's above",
      records: { "a.b.io": ['0 issue "pki.goog"'], "b.io": ['0 issue "x.org"'] },
      allowed: true,
    },
    { what: "another's of the top-level domain", records: { io: ['0 issue "x.org"'] }, allowed: false },
    { what: "another's of a sibling", records: { "c.b.io": ['0 issue "x.org"'] }, allowed: true },
  ])("$what: $allowed", ({ records, allowed }) => {
    const dns = new DnsRecords();
    for (const [name, values] of Object.entries(records)) dns.set(name, "CAA", values);
    expect(caaAllows(dns, "a.b.io", "pki.goog")).toBe(allowed);
  });
});
