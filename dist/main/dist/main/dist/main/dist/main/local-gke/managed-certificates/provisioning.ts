import { messageOf } from "../../src/base/errors.ts";
import type { CertificateAuthority } from "../certificate-authority.ts";
import type { Cloud, DomainStatus, ManagedSslCertificate, ManagedStatus, SslCertificate } from "../cloud.ts";
import { type Timing, until } from "../ingress/timing.ts";
import { issueManaged } from "./authority.ts";
import { caaAllows } from "./caa.ts";

const ISSUER = "pki.goog";

/** An SslCertificate of type MANAGED. */
type Managed = SslCertificate & { managed: ManagedSslCertificate };

/**
 * Starts Google's provisioning of managed certificates. It issues a certificate that is attached to a target
 * HTTPS proxy once public DNS directs all of its domains to that load balancer.
 */
export function startProvisioning(options: {
  cloud: Cloud;
  timing: Timing;
  authority: CertificateAuthority;
}): {
  stop(): Promise<void>;
} {
  const { cloud, timing, authority } = options;
  const abort = new AbortController();
  const working = new Map<string, Promise<void>>();

  const follow = (name: string) => {
    if (abort.signal.aborted || working.has(name) || !pending(cloud, name)) return;
    const work = provision(name)
      .catch((error: unknown) => console.error(`${name} could not be provisioned: ${messageOf(error)}`))
      .finally(() => working.delete(name));
    working.set(name, work);
  };

  /** Runs until the certificate is issued, has failed permanently, or is deleted. */
  async function provision(name: string): Promise<void> {
    const attached = () => !pending(cloud, name) || addressesOf(cloud, name).length > 0;
    await until(() => (attached() ? 0 : Number.POSITIVE_INFINITY), abort.signal);
    for (;;) {
      await pass(() => timing.dnsCheckMs);
      const certificate = pending(cloud, name);
      if (abort.signal.aborted || !certificate) return;
      if (cloud.faults.has("managed-certificate-permanent-failure")) {
        report(certificate, "PROVISIONING_FAILED_PERMANENTLY", () => "FAILED_NOT_VISIBLE");
        return;
      }
      if (!isReady(cloud, certificate)) {
        const found = (domain: string) => domainStatus(cloud, domain, addressesOf(cloud, name));
        report(certificate, failedStatus(certificate.managed.domains.map(found)), found);
        continue;
      }
      await pass(() => timing.certificateIssueMs);
      if (abort.signal.aborted) return;
      const { domains } = certificate.managed;
      const issued = await issueManaged(authority, domains);
      // The certificate may have been replaced or DNS changed in the meantime.
      if (pending(cloud, name) !== certificate || !isReady(cloud, certificate)) continue;
      cloud.setSslCertificate({
        name,
        certificate: issued.certificate,
        privateKey: issued.privateKey,
        managed: managed(domains, "ACTIVE", () => "ACTIVE"),
        presentedFrom: Date.now() + timing.certificatePresentMs,
      });
      return;
    }
  }

  function report(
    certificate: Managed,
    status: ManagedStatus,
    statusOf: (domain: string) => DomainStatus,
  ): void {
    const found = managed(certificate.managed.domains, status, statusOf);
    if (JSON.stringify(found) === JSON.stringify(certificate.managed)) return;
    cloud.setSslCertificate({ ...certificate, managed: found });
  }

  function pass(milliseconds: () => number): Promise<void> {
    const start = performance.now();
    return until(() => start + milliseconds(), abort.signal);
  }

  cloud.on("ssl-certificate", follow);
  for (const name of cloud.sslCertificates.keys()) follow(name);
  return {
    async stop() {
      cloud.off("ssl-certificate", follow);
      abort.abort();
      await Promise.all(working.values());
    },
  };
}

export function unissuedCertificate(name: string, domains: string[]): Managed {
  return {
    name,
    certificate: "",
    privateKey: "",
    managed: managed(domains, "PROVISIONING", () => "PROVISIONING"),
  };
}

/**
 * Checks one domain of a certificate as Google does.
 *
 * @param addresses the addresses of the load balancers that use the certificate
 */
export function domainStatus(cloud: Cloud, domain: string, addresses: string[]): DomainStatus {
  const { dns, faults } = cloud;
  const found = dns.addresses(domain);
  // The load balancers have no IPv6 addresses, so any AAAA record is wrong.
  const elsewhere = dns.resolve(domain, "AAAA").answers.some(({ type }) => type === "AAAA");
  if (found.length === 0 || elsewhere || found.some((address) => !addresses.includes(address))) {
    return "FAILED_NOT_VISIBLE";
  }
  if (faults.has("managed-certificate-caa-checking")) return "FAILED_CAA_CHECKING";
  if (!caaAllows(dns, domain, ISSUER)) return "FAILED_CAA_FORBIDDEN";
  if (faults.has("managed-certificate-rate-limit")) return "FAILED_RATE_LIMITED";
  return "ACTIVE";
}

function isReady(cloud: Cloud, { name, managed: { domains } }: Managed): boolean {
  const addresses = addressesOf(cloud, name);
  return domains.every((domain) => domainStatus(cloud, domain, addresses) === "ACTIVE");
}

/**
 * Missing DNS records leave the status at PROVISIONING. A refusal by the CA is a failure, which is retried.
 */
function failedStatus(domains: DomainStatus[]): ManagedStatus {
  const waiting: DomainStatus[] = ["ACTIVE", "FAILED_NOT_VISIBLE"];
  return domains.every((status) => waiting.includes(status)) ? "PROVISIONING" : "PROVISIONING_FAILED";
}

function managed(
  domains: string[],
  status: ManagedStatus,
  statusOf: (domain: string) => DomainStatus,
): ManagedSslCertificate {
  return {
    domains,
    status,
    domainStatus: Object.fromEntries(domains.map((domain) => [domain, statusOf(domain)])),
  };
}

/** The managed certificate, if its provisioning is not finished. */
function pending(cloud: Cloud, name: string): Managed | undefined {
  const certificate = cloud.sslCertificates.get(name);
  if (!certificate || !isManaged(certificate)) return undefined;
  const { status } = certificate.managed;
  return status === "ACTIVE" || status === "PROVISIONING_FAILED_PERMANENTLY" ? undefined : certificate;
}

function isManaged(certificate: SslCertificate): certificate is Managed {
  return certificate.managed !== undefined;
}

function addressesOf(cloud: Cloud, certificate: string): string[] {
  return cloud.loadBalancersWith(certificate).map(({ address }) => address);
}
