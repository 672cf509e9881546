import { createPrivateKey, X509Certificate } from "node:crypto";
import { getCACertificates } from "node:tls";
import { DAY_MS } from "../base/duration.ts";
import { messageOf } from "../base/errors.ts";

/** A certificate (chain) and its private key, both PEM. */
export interface KeyPair {
  certificate: string;
  privateKey: string;
}

/**
 * A certificate is renewed when fewer days are left, so that a monthly pipeline never serves an expired one.
 */
export const RENEW_BEFORE_DAYS = 30;

/**
 * Returns why a key pair can't serve `host`, undefined if it can.
 *
 * @param now milliseconds since the epoch
 * @param options `renewBefore`: a certificate with fewer days left counts as expiring
 */
export function problemOf(
  pair: KeyPair,
  host: string,
  now: number,
  { renewBefore = RENEW_BEFORE_DAYS } = {},
): string | undefined {
  const problem = problemOfKeyPair(pair);
  if (problem) return problem;
  const certificate = new X509Certificate(pair.certificate);
  if (!certificateMatchesHost(certificate, host)) {
    return `it is not for ${host} (subject alternative names: ${certificate.subjectAltName ?? "none"})`;
  }
  const days = daysLeftOf(certificate, now);
  if (days < renewBefore) return days < 0 ? "it has expired" : `it expires in ${days} days`;
  if (certificate.validFromDate.getTime() > now) return `it is not valid before ${certificate.validFrom}`;
  return undefined;
}

/** Returns why a certificate and a key are no pair, undefined if they are. */
export function problemOfKeyPair({ certificate, privateKey }: KeyPair): string | undefined {
  try {
    const isPair = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey));
    return isPair ? undefined : "its private key belongs to another certificate";
  } catch (error) {
    return `it can't be parsed (${messageOf(error)})`;
  }
}

/**
 * Returns the certificates in a PEM text, in their order.
 *
 * @throws Error if one can't be parsed
 */
export function chainIn(text: string): X509Certificate[] {
  return blocksIn(text).map((block) => new X509Certificate(block));
}

function blocksIn(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[\w+/=\s]+-----END CERTIFICATE-----/g) ?? [];
}

/** Returns the certificates in a PEM text, without other text between them. */
export function certificatesIn(text: string): string {
  return blocksIn(text).map(line).join("");
}

function line(block: string): string {
  return `${block}\n`;
}

/** Tells whether a certificate is for a host. */
export function certificateMatchesHost(certificate: X509Certificate, host: string): boolean {
  // Go's and gRPC's clients look at the subject alternative names only.
  return certificate.checkHost(host, { subject: "never", wildcards: true }) !== undefined;
}

/** Returns when a certificate expires, as RFC 3339. */
export function expiryOf(certificate: string): string {
  return new X509Certificate(certificate).validToDate.toISOString().replace(".000Z", "Z");
}

/** Returns the whole days until a certificate expires; negative once it has. */
export function daysLeftOf({ validToDate }: X509Certificate, now: number): number {
  return Math.floor((validToDate.getTime() - now) / DAY_MS);
}

/**
 * Returns the PEM that a client must be given to accept a chain, undefined if the client needs none: the
 * chain's self-signed certificates. A chain without one is taken to end at a public authority.
 */
export function authorityIn(certificate: string): string | undefined {
  return blocksIn(certificate).filter(isSelfSigned).map(line).join("") || undefined;
}

/**
 * Returns the PEM that a client must trust to accept any of `certificates`, which may be those of several
 * chains. Unless each chain has its own authority, it includes the authorities that Node.js trusts, with
 * those of NODE_EXTRA_CA_CERTS.
 */
export function trustFor(certificates: string): string {
  const chains = chainIn(certificates);
  const own = authorityIn(certificates);
  const endHere = chains.every(
    (certificate, index) =>
      certificate.subject === certificate.issuer ||
      chains.slice(index + 1).some((other) => isIssuedBy(certificate, other)),
  );
  return own !== undefined && endHere ? own : [certificates, ...getCACertificates()].join("\n");
}

/** Tells whether an authority signed a certificate. */
export function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

/** Tells whether the first certificate of a PEM text is self-signed. */
export function isSelfSigned(certificate: string): boolean {
  const { issuer, subject } = new X509Certificate(certificate);
  return issuer === subject;
}

/**
 * Tells whether a PEM text begins with a certificate that an authority signed. False for text that doesn't
 * parse.
 */
export function isIssued(certificate: string): boolean {
  try {
    return !isSelfSigned(certificate);
  } catch {
    return false;
  }
}
