import { createHash } from "node:crypto";
import type { ManagedCertificate } from "../kubernetes/objects.ts";

/**
 * Returns the name of the ManagedCertificate for a host.
 *
 * Google recreates a certificate whose domains change, so a new host gets a second name until its certificate
 * is served. A permanently failed certificate is replaced under the second name, too: the controller creates
 * nothing new under a name while the load balancer has its old certificate (gke-managed-certs,
 * pkg/controller/sync).
 *
 * @param existing the ManagedCertificates of the Ingress's namespace
 */
export function managedCertificateName(
  base: string,
  host: string,
  existing: readonly ManagedCertificate[],
): string {
  const other = `${base}-${createHash("sha256").update(host).digest("hex").slice(0, 8)}`;
  const named = (name: string) => existing.find(({ metadata }) => metadata.name === name);
  const isUsable = (certificate: ManagedCertificate) =>
    isFor(certificate, host) && !isPermanentlyFailed(certificate);
  const [first, second] = [named(base), named(other)];
  // Without the first, a usable second one keeps its name.
  return (first ? isUsable(first) : !(second && isUsable(second))) ? base : other;
}

/** Tells whether Google will never issue a certificate: this status is final. */
export function isPermanentlyFailed({ status }: ManagedCertificate): boolean {
  return status.certificateStatus === "ProvisioningFailedPermanently";
}

/** Tells whether {@link managedCertificateName} can return a name. */
export function isNamedAfter(base: string, name: string): boolean {
  return name === base || (name.startsWith(`${base}-`) && /^[0-9a-f]{8}$/.test(name.slice(base.length + 1)));
}

function isFor({ spec }: ManagedCertificate, host: string): boolean {
  return spec.domains.length === 1 && spec.domains[0] === host;
}

/** Tells whether the ManagedCertificate controller made a name (gke-managed-certs, pkg/utils/random). */
export function isManagedName(name: string): boolean {
  return name.startsWith("mcrt-");
}
