import { describe, expect, test } from "vitest";
import { DnsRecords } from "../../local-gke/dns/records.ts";
import { caaAllows } from "../../local-gke/managed-certificates/caa.ts";

describe("CAA records of a domain allow the issuer pki.goog", () => {
  test.each<{ what: string; records: Record<string, string[]>; allowed: boolean }>([
    { what: "no records", records: {}, allowed: true },
    { what: "pki.goog", records: { "a.b.io": ['0 issue "pki.goog"'] }, allowed: true },
    { what: "pki.goog without quotes", records: { "a.b.io": ["0 issue pki.goog"] }, allowed: true },
    {
      what: "pki.goog with parameters",
      records: { "a.b.io": ['0 issue "pki.goog; validationmethods=http"'] },
      allowed: true,
    },
    {
      what: "pki.goog and another issuer",
      records: { "a.b.io": ['0 issue "x.org"', '0 issue "pki.goog"'] },
      allowed: true,
    },
    { what: "another issuer", records: { "a.b.io": ['0 issue "x.org"'] }, allowed: false },
    { what: "no issuer at all", records: { "a.b.io": ['0 issue ";"'] }, allowed: false },
    {
      what: "another issuer for wildcards only",
      records: { "a.b.io": ['0 issuewild "x.org"'] },
      allowed: true,
    },
    { what: "a report address only", records: { "a.b.io": ['0 iodef "mailto:a@b.io"'] }, allowed: true },
    { what: "another issuer on the parent domain", records: { "b.io": ['0 issue "x.org"'] }, allowed: false },
    {
      what: "pki.goog, another issuer on the parent domain",
      records: { "a.b.io": ['0 issue "pki.goog"'], "b.io": ['0 issue "x.org"'] },
      allowed: true,
    },
    { what: "another issuer on the top-level domain", records: { io: ['0 issue "x.org"'] }, allowed: false },
    { what: "another issuer on a sibling domain", records: { "c.b.io": ['0 issue "x.org"'] }, allowed: true },
  ])("$what: $allowed", ({ records, allowed }) => {
    const dns = new DnsRecords();
    for (const [name, values] of Object.entries(records)) dns.set(name, "CAA", values);
    expect(caaAllows(dns, "a.b.io", "pki.goog")).toBe(allowed);
  });
});
