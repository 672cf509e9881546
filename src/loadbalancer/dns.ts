import { Resolver } from "node:dns/promises";
import { messageOf } from "../base/errors.ts";
import { endpointOverride } from "../gke/endpoints.ts";

/** What DNS answered; `unknown` if it gave no answer. */
export type DnsResult<T> =
  | ({ state: "resolved" } & T)
  | { state: "none" }
  | { state: "unknown"; why: string };

/** The addresses of a host name. */
export interface HostAddresses {
  /** IPv4, sorted. */
  addresses: string[];
  /** IPv6, sorted. */
  ipv6Addresses: string[];
  /** The name that the host is an alias (CNAME) of. */
  alias: string | undefined;
}

/** Which certificate authorities may issue for a host. */
export interface CaaRecords {
  /** The domain that has the records: the host, or the nearest one above it that has any. */
  domain: string;
  /** As zone files have them, e.g. `0 issue "pki.goog"`. */
  records: string[];
}

/** Longest wait for an answer that a run can do without, in milliseconds. */
export const BRIEF_LOOK_UP_MS = 3000;

/** First time-out for one answer, in milliseconds, and how often a server is asked. */
const RESOLVER_OPTIONS = { timeout: 2000, tries: 2 };

/** TTL in the records that the advice shows, in seconds. */
const TTL = 300;

/**
 * Looks up a host's addresses. `GHA_ENDPOINT_OVERRIDE_resolver=<IP>:<port>` names the server to ask instead
 * of the runner's own. If the resolver doesn't answer, the state is `unknown`.
 *
 * @param limit milliseconds, with all retries
 * @throws the signal's reason when it is aborted
 */
export async function lookUpHost(
  host: string,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
  limit: number,
): Promise<DnsResult<HostAddresses>> {
  return await withResolver<HostAddresses>(environment, signal, limit, async (resolver) => {
    const [addresses, ipv6Addresses, [alias]] = await Promise.all([
      orNone(resolver.resolve4(host)),
      orNone(resolver.resolve6(host)),
      orNone(resolver.resolveCname(host)),
    ]);
    if (addresses.length + ipv6Addresses.length === 0) return { state: "none" };
    return { state: "resolved", addresses: addresses.sort(), ipv6Addresses: ipv6Addresses.sort(), alias };
  });
}

/**
 * Looks up which certificate authorities may issue for a host: the CAA records of the host or of the nearest
 * domain above it that has any (RFC 8659, 3). Otherwise as {@link lookUpHost}.
 */
export async function lookUpCaa(
  host: string,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
  limit: number,
): Promise<DnsResult<CaaRecords>> {
  return await withResolver<CaaRecords>(environment, signal, limit, async (resolver) => {
    const labels = host.replace(/\.$/, "").split(".");
    for (let above = 0; above < labels.length; above += 1) {
      const domain = labels.slice(above).join(".");
      const found = await orNone(resolver.resolveCaa(domain));
      if (found.length > 0) {
        const records = found.flatMap(({ critical, ...tags }) =>
          Object.entries(tags)
            // Node.js adds the record's type beside its tag.
            .filter(([tag]) => tag !== "type")
            .map(([tag, value]) => `${critical} ${tag} "${value}"`),
        );
        return { state: "resolved", domain, records };
      }
    }
    return { state: "none" };
  });
}

/**
 * Returns what to change so that a host leads to a load balancer, with both addresses and the record in zone
 * file format; undefined if DNS is right.
 *
 * @param options `zone`: the Cloud DNS zone in which this action manages the record
 */
export function dnsAdvice(
  host: string,
  address: string,
  found: DnsResult<HostAddresses>,
  { zone }: { zone?: string | undefined } = {},
): string | undefined {
  const record = `${host}. ${TTL} IN A ${address}`;
  const cached = `the Cloud DNS zone ${zone} says ${address}. Resolvers may still give an older answer from their cache. If that lasts, check at the domain's registrar that the name servers are those of the zone.`;
  if (found.state === "unknown") {
    return `What DNS says of ${host} is not known (${found.why}). It must say: ${record}`;
  }
  if (found.state === "none") {
    const state = `DNS has no address for ${host}, the load balancer is at ${address}`;
    return zone ? `${state}: ${cached}` : `${state}: create the record ${record}`;
  }
  const { addresses, ipv6Addresses, alias } = found;
  const right = addresses.length === 1 && addresses[0] === address;
  if (right && ipv6Addresses.length === 0) return undefined;

  const all = [...addresses, ...ipv6Addresses].join(", ");
  const through = alias ? `, as an alias (CNAME) of ${alias}` : "";
  const state = `${host} points to ${all}${through}; the load balancer is at ${address}`;
  if (ipv6Addresses.length > 0) {
    const besides = right ? "" : `, and make its A record ${record}`;
    return `${state}, and has no IPv6 address: delete the AAAA record${alias ? ` of ${alias}` : ""}${besides}`;
  }
  if (zone) return `${state}: ${cached}`;
  return `${state}: make ${alias ? "its only record" : "its A record"} ${record}`;
}

/** Asks with a new resolver, which is cancelled at the limit or with the signal. */
async function withResolver<T>(
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
  limit: number,
  ask: (resolver: Resolver) => Promise<DnsResult<T>>,
): Promise<DnsResult<T>> {
  signal.throwIfAborted();
  const resolver = new Resolver(RESOLVER_OPTIONS);
  const end = AbortSignal.any([signal, AbortSignal.timeout(limit)]);
  const cancel = () => resolver.cancel();
  end.addEventListener("abort", cancel, { once: true });
  try {
    const server = endpointOverride("resolver", environment);
    if (server) resolver.setServers([server]);
    return await ask(resolver);
  } catch (error) {
    signal.throwIfAborted();
    return { state: "unknown", why: end.aborted ? `no answer within ${limit / 1000} s` : messageOf(error) };
  } finally {
    end.removeEventListener("abort", cancel);
    // When one query fails, the others still run.
    resolver.cancel();
  }
}

/** Returns no records if DNS answers that the name (NXDOMAIN) or the type (NODATA) doesn't exist. */
async function orNone<T>(query: Promise<T[]>): Promise<T[]> {
  return await query.catch((error: unknown) => {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENODATA" || code === "ENOTFOUND") return [];
    throw error;
  });
}
