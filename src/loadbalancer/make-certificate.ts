import type { KeyPair } from "./certificate.ts";

const DAY_MS = 86_400_000;
/** The longest validity of a public certificate (CA/Browser Forum), which every client accepts. */
const VALIDITY_DAYS = 397;

/**
 * Makes a self-signed certificate for `host`: X.509 v3, ECDSA P-256, the host as subject alternative name. It
 * is no authority: clients that trust it trust nothing else.
 *
 * @param now milliseconds since the epoch
 */
export async function makeCertificate(host: string, now: number): Promise<KeyPair> {
  // Loaded only when a certificate is made, about once a year.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // A common name holds 64 characters (RFC 5280, ub-common-name); without one the subject stays empty.
    name: host.length <= 64 ? `CN=${host}` : "",
    // Clients whose clock is an hour behind must accept it, too.
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
