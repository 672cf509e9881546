import { createHash } from "node:crypto";
import type { Ingress, Secret } from "../kubernetes/objects.ts";
import { listIn } from "./references.ts";

/** Here the ingress controller names the certificates that the load balancer has. */
const SSL_CERTIFICATES = "ingress.kubernetes.io/ssl-cert";

/** The certificates that the load balancer must have before it counts as ready. */
export interface RequiredCertificates {
  /** {@link secretHashOf} of a Secret's `tls.crt`; undefined if the certificate is at Google. */
  secretHash: string | undefined;
  /** Names of certificates at Google. */
  preShared: readonly string[];
}

/**
 * Tells whether the load balancer has the certificates. True if the Ingress doesn't show its certificates.
 */
export function presents(ingress: Ingress, { secretHash, preShared }: RequiredCertificates): boolean {
  const names = listIn(ingress.metadata.annotations[SSL_CERTIFICATES]);
  if (names.length === 0) return true;
  const hasSecret = secretHash === undefined || names.some((name) => name.includes(secretHash));
  return hasSecret && preShared.every((name) => names.includes(name));
}

/**
 * Returns the hash in the name that the controller gives a Secret's certificate: of the raw bytes of
 * `tls.crt` (kubernetes/ingress-gce, pkg/translator GetCertHash).
 */
export function secretHashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** Returns {@link secretHashOf} of a Secret's certificate, if it has one. */
export function hashIn({ data: { "tls.crt": certificate } }: Secret): string | undefined {
  return certificate === undefined ? undefined : secretHashOf(Buffer.from(certificate, "base64"));
}
