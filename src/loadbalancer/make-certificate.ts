import type { webcrypto } from "node:crypto";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { DAY_MS } from "../base/duration.ts";
import { certificatesIn, type KeyPair } from "./certificate.ts";
import { AUTHORITY_OF, NAME_CONSTRAINTS, nameConstraint } from "./name-constraint.ts";

/** Clients whose clock is an hour behind must accept a new certificate, too. */
const CLOCK_SKEW_MS = 3_600_000;
/** The longest validity of a public certificate (CA/Browser Forum), which every client accepts. */
const VALIDITY_DAYS = 397;
const AUTHORITY_VALIDITY_DAYS = 3650;
/** The longest common name, in characters (RFC 5280, ub-common-name). */
const MAX_COMMON_NAME = 64;

/** Google accepts RSA with at least 2048 bits and ECDSA P-256. */
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/**
 * Makes an authority for one host: X.509 v3, ECDSA P-256, self-signed, valid for ten years. Its name
 * constraint and its path length of 0 let it sign nothing but certificates for the host and names below it,
 * so that clients who trust it trust nothing else.
 *
 * @param now milliseconds since the epoch
 */
export async function makeAuthority(host: string, now: number): Promise<KeyPair> {
  const x509 = await loadX509();
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const name = `${AUTHORITY_OF}${host}`;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // An authority must have a name (RFC 5280, 4.1.2.4).
    name: `CN=${name.length <= MAX_COMMON_NAME ? name : `${AUTHORITY_OF}a Milvus load balancer`}`,
    notBefore: new Date(now - CLOCK_SKEW_MS),
    notAfter: new Date(now - CLOCK_SKEW_MS + AUTHORITY_VALIDITY_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.Extension(NAME_CONSTRAINTS, true, nameConstraint(host)),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pemOf(certificate), privateKey: await pemOfKey(keys.privateKey) };
}

/**
 * Makes a certificate for `host`, signed by `authority`: X.509 v3, ECDSA P-256, the host as
 * subject alternative name, valid for 397 days, but no longer than the authority. The returned
 * chain ends with the authority.
 *
 * @param now milliseconds since the epoch
 */
export async function makeCertificate(host: string, authority: KeyPair, now: number): Promise<KeyPair> {
  const x509 = await loadX509();
  const issuer = new X509Certificate(authority.certificate);
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const end = now - CLOCK_SKEW_MS + VALIDITY_DAYS * DAY_MS;
  const hasCommonName = host.length <= MAX_COMMON_NAME;
  const certificate = await x509.X509CertificateGenerator.create({
    subject: hasCommonName ? `CN=${host}` : "",
    issuer: new x509.X509Certificate(issuer.raw).subjectName,
    notBefore: new Date(now - CLOCK_SKEW_MS),
    notAfter: new Date(Math.min(end, issuer.validToDate.getTime())),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await signingKeyOf(authority),
    extensions: [
      // RFC 5280, 4.2.1.6: critical if the subject is empty.
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: host }], !hasCommonName),
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(new x509.PublicKey(spkiOf(issuer))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificate: pemOf(certificate) + certificatesIn(authority.certificate),
    privateKey: await pemOfKey(keys.privateKey),
  };
}

/** Loads the library only when a certificate is made, about once a year. */
async function loadX509(): Promise<typeof import("@peculiar/x509")> {
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}

function signingKeyOf({ privateKey }: KeyPair): Promise<webcrypto.CryptoKey> {
  const pkcs8 = createPrivateKey(privateKey).export({ type: "pkcs8", format: "der" });
  return crypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, false, ["sign"]);
}

function spkiOf({ publicKey }: X509Certificate): Buffer {
  return publicKey.export({ type: "spki", format: "der" });
}

function pemOf(certificate: { toString(format: "pem"): string }): string {
  return `${certificate.toString("pem")}\n`;
}

async function pemOfKey(key: webcrypto.CryptoKey): Promise<string> {
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/(.{64})/g, "$1\n").trimEnd()}\n-----END PRIVATE KEY-----\n`;
}
