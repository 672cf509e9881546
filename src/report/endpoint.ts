import type { RunReport } from "./run-report.ts";

/** Returns the URL for clients: by name once DNS and the certificate allow it, else by address. */
export function endpointOf(report: RunReport): string | undefined {
  const { address, host } = report;
  if (!address) return undefined;
  return isByName(report) ? `https://${host}:443` : uriOf(address);
}

/** Tells whether clients reach Milvus by the host's name. */
export function isByName({ host, isInDns, certificateStatus }: RunReport): boolean {
  return host !== undefined && isInDns === true && certificateStatus === "Active";
}

/** Returns the DNS record that leads a host to the load balancer, in zone file format. */
export function dnsRecord(host: string, address: string): string {
  return `${host}. 300 IN ${address.includes(":") ? "AAAA" : "A"} ${address}`;
}

/** Returns what `MilvusClient(uri=...)` takes. */
export function uriOf(address: string): string {
  return `https://${address.includes(":") ? `[${address}]` : address}:443`;
}
