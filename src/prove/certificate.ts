import type { Settings } from "../inputs/settings.ts";
import type { DnsResult, HostAddresses } from "../loadbalancer/dns.ts";
import { waitForTrustedCertificate } from "../loadbalancer/handshake.ts";
import { waitForCertificate } from "../loadbalancer/wait-for-certificate.ts";
import type { LoadBalancerWatch } from "../loadbalancer/watch.ts";
import type { LoadBalancerPlan } from "../plan/load-balancer.ts";
import { type Session, step } from "../report/session.ts";

/** Where the load balancer is. */
export interface Endpoint {
  address: string;
  /** `host:port` to dial. */
  dial: string;
  /** What DNS says of the host. */
  dns: Promise<DnsResult<HostAddresses>>;
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
    "certificate" | "certificateTimeout" | "waitFor" | "dnsZone" | "verify" | "host" | "backendsTimeout"
  >,
  session: Session,
  { finalIngress }: Pick<LoadBalancerPlan, "finalIngress">,
  watch: LoadBalancerWatch,
  { address, dial, dns }: Endpoint,
): Promise<boolean> {
  const { report, environment, signal } = session;
  const { certificateTimeout: limit, waitFor, dnsZone } = settings;
  if (settings.certificate.kind === "google-managed") {
    const insist = waitFor === "certificate" || dnsZone !== undefined;
    const found = await dns;
    const isActive = await step(session, "Wait for the certificate", () =>
      waitForCertificate(watch, { address, found, insist, limit, environment, signal }),
    );
    const { managedCertificate } = watch.state;
    if (managedCertificate.state === "present") {
      report.certificateExpires = managedCertificate.object.status.expireTime || undefined;
    }
    if (!isActive) return false;
    // Google presents a certificate some time after it has issued it. A former certificate must stay until
    // then.
    if (finalIngress && settings.verify) {
      await step(session, "Wait for the certificate to be presented", () =>
        waitForTrustedCertificate(dial, settings.host, settings.backendsTimeout, signal),
      );
    }
  }
  report.certificateStatus = "Active";
  return true;
}
