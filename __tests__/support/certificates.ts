import { createPrivateKey, type webcrypto } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { KeyPair } from "../../src/loadbalancer/certificate.ts";

/** The moment at which the tests' certificates are valid, unless a test says otherwise. */
export const NOW = Date.UTC(2026, 0, 15, 12);
export const DAY = 86_400_000;

const ECDSA_P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
export const ECDSA_P384 = { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" };

export function rsa(modulusLength: number) {
  const publicExponent = new Uint8Array([1, 0, 1]);
  return { name: "RSASSA-PKCS1-v1_5", modulusLength, publicExponent, hash: "SHA-256" };
}

export interface CertificateRequest {
  subject: string;
  names?: string[];
  /** Milliseconds since the epoch; by default a day before {@link NOW}. */
  from?: number;
  days: number;
  isAuthority?: boolean;
  algorithm?: typeof ECDSA_P256 | ReturnType<typeof rsa>;
}

export interface Authority {
  subject: string;
  keys: webcrypto.CryptoKeyPair;
}

/** Makes a certificate that is signed by `issuer`, or by itself. */
export async function certificateWith(
  request: CertificateRequest,
  issuer?: Authority,
): Promise<KeyPair & Authority> {
  const { subject, names, from = NOW - DAY, days, isAuthority, algorithm = ECDSA_P256 } = request;
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer?.subject ?? subject,
    notBefore: new Date(from),
    notAfter: new Date(from + days * DAY),
    signingAlgorithm: issuer ? ECDSA_P256 : algorithm,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions: [
      ...(names
        ? [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns", value })))]
        : []),
      ...(isAuthority ? [new x509.BasicConstraintsExtension(true, undefined, true)] : []),
    ],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    subject,
    certificate: `${certificate.toString("pem")}\n`,
    privateKey: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
    keys,
  };
}

/**
 * Makes a certificate for a host, from yesterday on, as earlier versions of this
 * action made it: its own authority.
 */
export function selfSigned(host: string, days = 397): Promise<KeyPair & Authority> {
  return certificateWith({ subject: `CN=${host}`, names: [host], from: Date.now() - DAY, days });
}

/** Returns a private key as it is when it needs a passphrase. */
export function encrypted(privateKey: string): string {
  return createPrivateKey(privateKey)
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" })
    .toString();
}
