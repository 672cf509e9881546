import { createPrivateKey, type webcrypto, X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { describe, expect, test } from "vitest";
import {
  certificatesIn,
  expiryOf,
  type KeyPair,
  makeCertificate,
  problemOf,
  trustFor,
} from "../../src/loadbalancer/certificate.ts";

const HOST = "my-release.milvus.io";
const NOW = Date.UTC(2026, 0, 15, 12);
const DAY = 86_400_000;
const LONG_HOST = `${"a".repeat(60)}.${"b".repeat(60)}.example.com`;

/** Makes a certificate that is signed by `issuer`, or by itself. */
async function certificateWith(
  settings: { subject: string; names?: string[]; from?: number; days: number },
  issuer?: { name: string; keys: webcrypto.CryptoKeyPair },
): Promise<KeyPair & { keys: webcrypto.CryptoKeyPair }> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const from = settings.from ?? NOW - DAY;
  const certificate = await x509.X509CertificateGenerator.create({
    subject: settings.subject,
    issuer: issuer?.name ?? settings.subject,
    notBefore: new Date(from),
    notAfter: new Date(from + settings.days * DAY),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions: settings.names
      ? [new x509.SubjectAlternativeNameExtension(settings.names.map((value) => ({ type: "dns", value })))]
      : [],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certificate: certificate.toString("pem"),
    privateKey: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"),
    keys,
  };
}

describe("the certificate that is made", () => {
  test("is an X.509 v3 server certificate for the host, good for 397 days", async () => {
    const { certificate, privateKey } = await makeCertificate(HOST, NOW);
    const parsed = new X509Certificate(certificate);
    expect(parsed.subjectAltName).toBe(`DNS:${HOST}`);
    expect(parsed.subject).toBe(`CN=${HOST}`);
    expect(parsed.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(parsed.ca).toBe(false);
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(parsed.checkPrivateKey(createPrivateKey(privateKey))).toBe(true);
    expect(parsed.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect(parsed.validToDate.getTime() - parsed.validFromDate.getTime()).toBe(397 * DAY);
    expect(parsed.validFromDate.getTime()).toBeLessThan(NOW);
    expect(certificate.split("\n").every((line) => line.length <= 64)).toBe(true);
    expect(privateKey.split("\n").every((line) => line.length <= 64)).toBe(true);
    expect(privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----\n[\s\S]+\n-----END PRIVATE KEY-----\n$/);
  });

  test.each([
    ["a", "CN=a"],
    [`${"a".repeat(61)}.io`, `CN=${"a".repeat(61)}.io`],
    [`${"a".repeat(62)}.io`, undefined],
    [LONG_HOST, undefined],
  ])("the common name holds a host of at most 64 characters (%s)", async (host, subject) => {
    const pair = await makeCertificate(host, NOW);
    expect(new X509Certificate(pair.certificate).subject || undefined).toBe(subject);
    expect(problemOf(pair, host, NOW)).toBeUndefined();
  });

  test("no two are the same", async () => {
    const [one, other] = [await makeCertificate(HOST, NOW), await makeCertificate(HOST, NOW)];
    expect(new X509Certificate(one.certificate).serialNumber).not.toBe(
      new X509Certificate(other.certificate).serialNumber,
    );
    expect(one.privateKey).not.toBe(other.privateKey);
  });

  test("its end, as RFC 3339", async () => {
    const { certificate } = await makeCertificate(HOST, NOW);
    expect(expiryOf(certificate)).toBe("2027-02-16T11:00:00Z");
  });
});

describe("problemOf", () => {
  const good = makeCertificate(HOST, NOW);

  test.each([
    ["on its first day", 0],
    ["a minute earlier by another clock", -1 / 1440],
    ["half a year later", 180],
    ["with 30 days left", 397 - 30 - 1 / 24],
  ])("none %s", async (_, days) => {
    expect(problemOf(await good, HOST, NOW + days * DAY)).toBeUndefined();
  });

  test.each([
    ["with less than 30 days left", 397 - 30, "it expires in 29 days"],
    ["on its last day", 397 - 0.5, "it expires in 0 days"],
    ["when it has expired", 397, "it has expired"],
    ["before it is valid", -1, "it is not valid before "],
  ])("%s", async (_, days, problem) => {
    expect(problemOf(await good, HOST, NOW + days * DAY)).toContain(problem);
  });

  test.each<[string, string[] | undefined, string | undefined]>([
    ["several names", ["other.example.com", HOST], undefined],
    ["a wildcard", ["*.milvus.io"], undefined],
    [
      "another name",
      ["other.example.com"],
      `it is not for ${HOST} (subject alternative names: DNS:other.example.com)`,
    ],
    ["a wildcard of another level", ["*.io"], `it is not for ${HOST} (subject alternative names: DNS:*.io)`],
    [
      "the host in the common name only, as on Milvus's page",
      undefined,
      `it is not for ${HOST} (subject alternative names: none)`,
    ],
  ])("%s", async (_, names, problem) => {
    const pair = await certificateWith({ subject: `CN=${HOST}`, ...(names && { names }), days: 365 });
    expect(problemOf(pair, HOST, NOW)).toBe(problem);
  });

  test("the key of another certificate", async () => {
    const { certificate } = await good;
    const { privateKey } = await makeCertificate(HOST, NOW);
    expect(problemOf({ certificate, privateKey }, HOST, NOW)).toBe(
      "its private key belongs to another certificate",
    );
  });

  test.each([
    ["nothing", "", ""],
    ["text", "not a certificate", "x"],
    ["a PEM of rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "x"],
  ])("%s instead of a certificate", async (_, certificate, privateKey) => {
    expect(problemOf({ certificate, privateKey }, HOST, NOW)).toMatch(/^it can't be parsed \(.+\)$/);
  });

  test("a good certificate without its key", async () => {
    const { certificate } = await good;
    expect(problemOf({ certificate, privateKey: "" }, HOST, NOW)).toMatch(/^it can't be parsed \(.+\)$/);
  });
});

describe("trustFor", () => {
  test.each([HOST, LONG_HOST])("a self-signed certificate is all that is trusted (%s)", async (host) => {
    const { certificate } = await makeCertificate(host, NOW);
    expect(trustFor(certificate)).toBe(certificate);
  });

  test("one that an authority has signed needs the authorities too", async () => {
    const authority = await certificateWith({ subject: "CN=Authority", days: 900 });
    const signed = await certificateWith(
      { subject: `CN=${HOST}`, names: [HOST], days: 365 },
      { name: "CN=Authority", keys: authority.keys },
    );
    const trusted = trustFor(signed.certificate);
    expect(trusted).toContain(signed.certificate);
    expect(trusted).toContain(rootCertificates[0]);
  });
});

test("what stands between the certificates of a PEM text is left out", async () => {
  const { certificate } = await makeCertificate(HOST, NOW);
  const text = `subject=CN=x\n"""\nimport os # not a certificate\n${certificate}issuer=y\n${certificate.trim()}`;
  expect(certificatesIn(text)).toBe(certificate.repeat(2));
  expect(certificatesIn("nothing")).toBe("");
});
