import "reflect-metadata";
import type { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 24 * 60 * 60 * 1000;
/** The authority's own validity. */
const YEAR_DAYS = 365;

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  certificate: string;
  privateKey: string;
}

export interface CertificateRequest {
  /** e.g. `CN=kube-apiserver` */
  subject: string;
  names: { type: "dns" | "ip"; value: string }[];
  days: number;
}

/** Issues certificates that only clients with its own certificate trust. */
export class CertificateAuthority {
  /** The authority's own certificate, as PEM. */
  readonly certificate: string;
  readonly #root: x509.X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(root: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.certificate = root.toString("pem");
    this.#root = root;
    this.#keys = keys;
  }

  /** Creates an authority that is valid for a year. */
  static async create(name: string): Promise<CertificateAuthority> {
    const keys = await keyPair();
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      ...validity(YEAR_DAYS),
      name,
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new CertificateAuthority(root, keys);
  }

  /** Issues a server certificate. */
  async issue({ subject, names, days }: CertificateRequest): Promise<KeyPair> {
    const keys = await keyPair();
    const certificate = await x509.X509CertificateGenerator.create({
      ...validity(days),
      subject,
      issuer: this.#root.subject,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(names),
        await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
      ],
    });
    const privateKey = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
    return {
      certificate: certificate.toString("pem"),
      privateKey: x509.PemConverter.encode(privateKey, "PRIVATE KEY"),
    };
  }
}

function keyPair(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  // Starts a day ago because clocks differ.
  return { notBefore: new Date(now - DAY_MS), notAfter: new Date(now + days * DAY_MS) };
}
