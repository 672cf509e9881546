import { warning } from "../base/log.ts";
import type { Settings } from "../inputs/settings.ts";
import type { DnsResult, HostAddresses } from "../loadbalancer/dns.ts";
import { waitForTrustedCertificate } from "../loadbalancer/handshake.ts";
import { whileNothingIsLost } from "../loadbalancer/reasons-to-stop.ts";
import { waitForCertificate } from "../loadbalancer/wait-for-certificate.ts";
import type { LoadBalancerWatch } from "../loadbalancer/watch.ts";
import { type Session, step } from "../report/session.ts";

/** Where the load balancer is. */
export interface LoadBalancerEndpoint {
  address: string;
  /** `host:port` to dial. */
  dial: string;
  /** What DNS says of the host. */
  dns: Promise<DnsResult<HostAddresses>>;
  /**
   * Where the record of dns_zone leads until Milvus is proven; undefined if it leads to the load balancer.
   */
  elsewhere: string | undefined;
}

/**
 * Waits for a Google-managed certificate. Any other certificate is presented as soon as the backends are
 * healthy.
 *
 * @returns whether the load balancer presents the wanted certificate
 */
export async function proveCertificate(
  settings: Pick<
    Settings,
    | "certificate"
    | "certificateTimeout"
    | "certificatePresentedTimeout"
    | "waitFor"
    | "dnsZone"
    | "verify"
    | "host"
  >,
  session: Session,
  watch: LoadBalancerWatch,
  { address, dial, dns, elsewhere }: LoadBalancerEndpoint,
): Promise<boolean> {
  const { report, environment, signal } = session;
  const { certificateTimeout: limit, certificatePresentedTimeout, waitFor, dnsZone } = settings;
  if (settings.certificate.kind === "google-managed") {
    if (dnsZone !== undefined && elsewhere !== undefined) {
      warning(nameInUse(settings.host, dnsZone, elsewhere, address));
    }
    // Only this run changes a record of dns_zone. If the record leads elsewhere, it stays so during the wait.
    const insist = dnsZone === undefined ? waitFor === "certificate" : elsewhere === undefined;
    const found = await dns;
    const isActive = await step(
      session,
      "Wait for the certificate",
      () => waitForCertificate(watch, { address, found, insist, limit, environment, signal }),
      "certificate",
    );
    const { managedCertificate } = watch.state;
    if (managedCertificate.state === "present") {
      report.certificateExpires = managedCertificate.object.status.expireTime || undefined;
    }
    if (!isActive) return false;
    // Until all of Google's edges have it, handshakes fail or meet a former certificate. That one must stay
    // until then.
    if (settings.verify) {
      await step(
        session,
        "Wait for the certificate to be presented",
        () =>
          whileNothingIsLost(watch, signal, (ended) =>
            waitForTrustedCertificate(dial, settings.host, certificatePresentedTimeout, environment, ended),
          ),
        "certificate",
      );
    }
  }
  report.certificateStatus = "Active";
  return true;
}

/**
 * Google issues a certificate only for a name that leads to the load balancer: until
 * then the name has no way in.
 */
function nameInUse(host: string, zone: string, elsewhere: string, address: string): string {
  return `The record of ${host} in the Cloud DNS zone ${zone} stays at ${elsewhere}, where clients find Milvus today. Google issues the certificate only once the name leads to ${address}, and takes up to an hour then, in which clients of the name have no way in. Change the record to ${address} when that gap suits you, and run again; or use certificate: self-managed, which has no such gap.`;
}
