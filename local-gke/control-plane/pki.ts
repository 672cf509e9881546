import "reflect-metadata";
import { generateKeyPairSync, type webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

/** What the control plane proves itself with; everything is PEM. */
export interface Pki {
  /** The certificate authority, which `clusters.get` hands out as `masterAuth.clusterCaCertificate`. */
  caCertificate: string;
  servingCertificate: string;
  servingKey: string;
  /** Signs service account tokens. */
  serviceAccountKey: string;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 24 * 60 * 60 * 1000;

/** Makes a new certificate authority and what it signs, valid for a year. */
export async function makePki(): Promise<Pki> {
  const [ca, serving] = await Promise.all([keyPair(), keyPair()]);
  // A day back, for clocks that differ.
  const validity = {
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + 365 * DAY_MS),
  };
  const caCertificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: "CN=local-gke",
    signingAlgorithm: ALGORITHM,
    keys: ca,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(ca.publicKey),
    ],
  });
  const servingCertificate = await x509.X509CertificateGenerator.create({
    ...validity,
    subject: "CN=kube-apiserver",
    issuer: caCertificate.subject,
    signingAlgorithm: ALGORITHM,
    publicKey: serving.publicKey,
    signingKey: ca.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: "ip", value: "127.0.0.1" },
        { type: "dns", value: "localhost" },
        { type: "dns", value: "kubernetes.default.svc" },
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
    ],
  });
  return {
    caCertificate: caCertificate.toString("pem"),
    servingCertificate: servingCertificate.toString("pem"),
    servingKey: await privateKeyPem(serving),
    // The API server reads both halves from this one file, but only when it is SEC 1 rather than PKCS #8.
    serviceAccountKey: generateKeyPairSync("ec", { namedCurve: "P-256" })
      .privateKey.export({ type: "sec1", format: "pem" })
      .toString(),
  };
}

function keyPair(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function privateKeyPem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
}
