import { info, warning } from "../base/log.ts";
import type { Settings } from "../inputs/settings.ts";
import {
  BRIEF_LOOK_UP_MS,
  type DnsResult,
  dnsAdvice,
  type HostAddresses,
  lookUpHost,
} from "../loadbalancer/dns.ts";
import { LOOK_UP_MS } from "../loadbalancer/wait-for-certificate.ts";
import type { Session } from "./session.ts";

/** Looks the host up in DNS, logs what must change there, and returns the answer. */
export async function reportDns(
  { host, dnsZone: zone, certificate }: Pick<Settings, "host" | "dnsZone" | "certificate">,
  { report, environment, signal }: Session,
  address: string,
): Promise<DnsResult<HostAddresses>> {
  const isGoogleManaged = certificate.kind === "google-managed";
  const found = await lookUpHost(host, environment, signal, isGoogleManaged ? LOOK_UP_MS : BRIEF_LOOK_UP_MS);
  const advice = dnsAdvice(host, address, found, { zone });
  // Clients can do without DNS, by the address and server_name, but a name that leads elsewhere misleads
  // them. The wait for a Google-managed certificate warns by itself.
  report.isInDns = !advice;
  if (!advice) info(`DNS leads ${host} to the load balancer.`);
  else if (found.state === "resolved" && !zone && !isGoogleManaged) warning(advice);
  else info(advice);
  return found;
}
