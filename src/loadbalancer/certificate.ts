import { createPrivateKey, X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { messageOf } from "../errors.ts";

/** A certificate (chain) and its private key, both PEM. */
export interface KeyPair {
  certificate: string;
  privateKey: string;
}

const DAY_MS = 86_400_000;
/** The longest validity that public certificates may have (CA/Browser Forum), which clients are used to. */
const VALIDITY_DAYS = 397;
/** A certificate is renewed when it has less than this left, so that a monthly pipeline never serves an expired one. */
const RENEW_BEFORE_DAYS = 30;

/**
 * Returns why a key pair is no good for serving `host` any longer, or undefined while it is.
 *
 * @param now milliseconds since the epoch
 */
export function problemOf(pair: KeyPair, host: string, now: number): string | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pair.certificate);
    if (!certificate.checkPrivateKey(createPrivateKey(pair.privateKey))) {
      return "its private key belongs to another certificate";
    }
  } catch (error) {
    return `it can't be parsed (${messageOf(error)})`;
  }
  // Go's and gRPC's clients look at the subject alternative names only.
  if (certificate.checkHost(host, { subject: "never", wildcards: true }) === undefined) {
    return `it is not for ${host} (subject alternative names: ${certificate.subjectAltName ?? "none"})`;
  }
  const days = Math.floor((certificate.validToDate.getTime() - now) / DAY_MS);
  if (days < RENEW_BEFORE_DAYS) return days < 0 ? "it has expired" : `it expires in ${days} days`;
  if (certificate.validFromDate.getTime() > now) return `it is not valid before ${certificate.validFrom}`;
  return undefined;
}

/** Returns the certificates in a PEM text without whatever else stands between them. */
export function certificatesIn(text: string): string {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\w+/=\s]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => `${block}\n`).join("");
}

/** Returns the end of a certificate's validity as RFC 3339. */
export function expiryOf(certificate: string): string {
  return new X509Certificate(certificate).validToDate.toISOString().replace(".000Z", "Z");
}

/**
 * Makes a self-signed certificate for `host`: X.509 v3, ECDSA P-256, the host as subject alternative name. Clients
 * that are given this certificate trust it and nothing that it could have signed.
 *
 * @param now milliseconds since the epoch
 */
export async function makeCertificate(host: string, now: number): Promise<KeyPair> {
  // Only needed when a certificate is due, once a year.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // A common name holds 64 characters (RFC 5280, ub-common-name); without one the subject stays empty.
    name: host.length <= 64 ? `CN=${host}` : "",
    // A clock that is an hour behind must not make the first calls fail.
    notBefore: new Date(now - 3_600_000),
    notAfter: new Date(now + VALIDITY_DAYS * DAY_MS - 3_600_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: host }]),
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    certificate: `${certificate.toString("pem")}\n`,
    privateKey: `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/(.{64})/g, "$1\n").trimEnd()}\n-----END PRIVATE KEY-----\n`,
  };
}

/** Returns the PEM that a client must trust to accept `certificate`: a self-signed one itself, else also the public authorities. */
export function trustFor(certificate: string): string {
  const parsed = new X509Certificate(certificate);
  return parsed.issuer === parsed.subject ? certificate : [certificate, ...rootCertificates].join("\n");
}
