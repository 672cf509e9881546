import type { DnsRecords } from "../dns/records.ts";

/** Whether the CAA records of a domain, or of its nearest parent that has any, allow an issuer (RFC 8659). */
export function caaAllows(dns: DnsRecords, domain: string, issuer: string): boolean {
  const labels = domain.split(".");
  for (let level = 0; level < labels.length; level++) {
    const found = dns.resolve(labels.slice(level).join("."), "CAA").answers.at(-1);
    if (found?.type !== "CAA") continue;
    const issuers = found.values.flatMap((value) => issuerOf(value) ?? []);
    return issuers.length === 0 || issuers.includes(issuer);
  }
  return true;
}

/** The issuer of an `issue` record, without parameters. Empty if the record forbids all issuers. */
function issuerOf(value: string): string | undefined {
  return /^\d+\s+issue\s+"?\s*([^";\s]*)/i.exec(value)?.[1]?.toLowerCase();
}
