import { rootCertificates } from "node:tls";
import { describe, expect, test } from "vitest";
import {
  authorityIn,
  certificatesIn,
  problemOf,
  problemOfGiven,
  trustFor,
} from "../../src/loadbalancer/certificate.ts";
import { certificateWith, DAY, ECDSA_P384, encrypted, NOW, rsa } from "../support/certificates.ts";

const HOST = "my-release.milvus.io";
/** In milliseconds. */
const HOUR = 3_600_000;

describe("problemOf", () => {
  const made = { subject: `CN=${HOST}`, names: [HOST], from: NOW - HOUR, days: 397 };
  const good = certificateWith(made);

  test.each([
    ["on its first day", 0],
    ["a minute earlier by another clock", -1 / 1440],
    ["half a year later", 180],
    ["with 30 days left", 397 - 30 - 1 / 24],
  ])("accepts a certificate %s", async (_, days) => {
    expect(problemOf(await good, HOST, NOW + days * DAY)).toBeUndefined();
  });

  test.each([
    ["with less than 30 days left", 397 - 30, "it expires in 29 days"],
    ["on its last day", 397 - 0.5, "it expires in 0 days"],
    ["when it has expired", 397, "it has expired"],
    ["before it is valid", -1, "it is not valid before "],
  ])("reports the validity %s", async (_, days, problem) => {
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

  test("reports the key of another certificate", async () => {
    const { certificate } = await good;
    const { privateKey } = await certificateWith(made);
    expect(problemOf({ certificate, privateKey }, HOST, NOW)).toBe(
      "its private key belongs to another certificate",
    );
  });

  test.each([
    ["nothing", "", ""],
    ["text", "not a certificate", "x"],
    ["a PEM of rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "x"],
  ])("reports %s instead of a certificate", async (_, certificate, privateKey) => {
    expect(problemOf({ certificate, privateKey }, HOST, NOW)).toMatch(/^it can't be parsed \(.+\)$/);
  });

  test("reports a valid certificate without its key", async () => {
    const { certificate } = await good;
    expect(problemOf({ certificate, privateKey: "" }, HOST, NOW)).toMatch(/^it can't be parsed \(.+\)$/);
  });
});

describe("trustFor", async () => {
  const root = await certificateWith({ subject: "CN=Root", days: 900, isAuthority: true });
  const between = await certificateWith({ subject: "CN=Between", days: 900, isAuthority: true }, root);
  const own = await certificateWith({ subject: `CN=${HOST}`, names: [HOST], days: 365 });
  const issued = await certificateWith({ subject: `CN=${HOST}`, names: [HOST], days: 365 }, between);
  const stranger = await certificateWith({ subject: "CN=Between", days: 900, isAuthority: true }, root);
  const chain = (...links: { certificate: string }[]) => links.map(({ certificate }) => certificate).join("");

  test.each([
    ["a self-signed certificate", chain(own), chain(own)],
    ["a chain that ends with its authority", chain(issued, between, root), chain(root)],
    ["two chains, each with its authority", chain(own, issued, between, root), chain(own, root)],
  ])("returns the authority of %s alone", (_, certificates, trusted) => {
    expect(trustFor(certificates)).toBe(trusted);
  });

  test.each([
    ["no authority in the chain", chain(issued, between)],
    ["a chain with a gap", chain(issued, root)],
    ["an issuer of the same name with another key", chain(issued, stranger, root)],
    ["two chains, one without its authority", chain(own, issued, between)],
  ])("adds Node's own authorities to %s", (_, certificates) => {
    const trusted = trustFor(certificates);
    expect(trusted).toContain(certificates);
    expect(trusted).toContain(rootCertificates[0]);
  });
});

test("certificatesIn leaves out the text between certificates", async () => {
  const { certificate } = await certificateWith({ subject: `CN=${HOST}`, days: 9 });
  const text = `subject=CN=x\n"""\nimport os # not a certificate\n${certificate}issuer=y\n${certificate.trim()}`;
  expect(certificatesIn(text)).toBe(certificate.repeat(2));
  expect(certificatesIn("nothing")).toBe("");
});

describe("problemOfGiven", async () => {
  const root = await certificateWith({ subject: "CN=Root", days: 9000, isAuthority: true });
  const between = await certificateWith({ subject: "CN=Between", days: 900, isAuthority: true }, root);
  const request = { subject: `CN=${HOST}`, names: [HOST], days: 365 };
  const leaf = await certificateWith(request, between);
  const { privateKey } = leaf;
  const chain = (...links: { certificate: string }[]) => links.map(({ certificate }) => certificate).join("");

  const stranger = await certificateWith({ subject: "CN=Between", days: 900, isAuthority: true }, root);
  const selfSigned = await certificateWith({ ...request, isAuthority: true });
  const p384 = await certificateWith({ ...request, algorithm: ECDSA_P384 });
  const longRsa = await certificateWith({ ...request, algorithm: rsa(2048) });
  test.each([
    ["the host's own alone", leaf.certificate, privateKey],
    ["with its issuer", chain(leaf, between), privateKey],
    ["the whole chain", chain(leaf, between, root), privateKey],
    ["with text between", `subject=x\n${leaf.certificate}\nissuer=y\n${between.certificate}`, privateKey],
    [
      "a self-signed one that calls itself an authority, as openssl req makes it",
      selfSigned.certificate,
      selfSigned.privateKey,
    ],
    ["RSA 2048", longRsa.certificate, longRsa.privateKey],
  ])("accepts %s", (_, certificate, key) => {
    expect(problemOfGiven({ certificate, privateKey: key }, HOST, "external", NOW)).toEqual([]);
  });

  test("accepts ECDSA P-384 for an internal load balancer", () => {
    const { certificate, privateKey } = p384;
    expect(problemOfGiven({ certificate, privateKey }, HOST, "internal", NOW)).toEqual([]);
  });

  test("accepts a certificate in its first and in its last second", () => {
    const at = (now: number) =>
      problemOfGiven({ certificate: leaf.certificate, privateKey }, HOST, "external", now);
    expect(at(NOW - DAY)).toEqual([]);
    expect(at(NOW + 364 * DAY - 1000)).toEqual([]);
  });

  const shortRsa = await certificateWith({ ...request, algorithm: rsa(1024) });
  const inCommonName = await certificateWith({ subject: `CN=${HOST}`, days: 365 });
  const elsewhere = await certificateWith({ ...request, names: ["other.example.com"] });
  const KIND =
    "tls_private_key is neither RSA with at least 2048 bits nor ECDSA P-256, which are all that Google accepts for load_balancer: external";
  const FOREIGN = "tls_private_key belongs to another certificate than the first one of tls_certificate";
  const NO_PEM =
    "tls_certificate holds no PEM certificate (-----BEGIN CERTIFICATE-----): give its text, not a file's path";
  const other = (name: string) => `tls_certificate is not for ${HOST} (subject alternative names: ${name})`;
  test.each<[string, string, string, string[]]>([
    [
      "the chain upside down",
      chain(between, leaf),
      privateKey,
      ["tls_certificate begins with an authority's certificate: the host's own comes first"],
    ],
    [
      "a chain with a gap",
      chain(leaf, root),
      privateKey,
      [`tls_certificate is not in order: certificate 1 (CN=${HOST}) is not signed by the next one (CN=Root)`],
    ],
    [
      "the issuers in the wrong order",
      chain(leaf, root, between),
      privateKey,
      [
        `tls_certificate is not in order: certificate 1 (CN=${HOST}) is not signed by the next one (CN=Root)`,
        "tls_certificate is not in order: certificate 2 (CN=Root) is not signed by the next one (CN=Between)",
      ],
    ],
    [
      "an issuer of the same name with another key",
      chain(leaf, stranger),
      privateKey,
      [
        `tls_certificate is not in order: certificate 1 (CN=${HOST}) is not signed by the next one (CN=Between)`,
      ],
    ],
    ["reports the key of another certificate", leaf.certificate, root.privateKey, [FOREIGN]],
    ["RSA 1024", shortRsa.certificate, shortRsa.privateKey, [KIND]],
    ["ECDSA P-384", p384.certificate, p384.privateKey, [KIND]],
    [
      "an encrypted key",
      leaf.certificate,
      encrypted(privateKey),
      ["tls_private_key is encrypted: give it without a passphrase"],
    ],
    ["the host in the common name only", inCommonName.certificate, inCommonName.privateKey, [other("none")]],
    ["another host", elsewhere.certificate, elsewhere.privateKey, [other("DNS:other.example.com")]],
    ["no PEM at all", "MIIBszCCAVmgAwIBAgI", privateKey, [NO_PEM]],
    ["the key in the certificate's place", privateKey, privateKey, [NO_PEM]],
  ])("%s", (_, certificate, key, problems) => {
    expect(problemOfGiven({ certificate, privateKey: key }, HOST, "external", NOW)).toEqual(problems);
  });

  test.each([
    ["expired", NOW + 364 * DAY, /^tls_certificate has expired \(Jan 14 12:00:00 2027 GMT\)$/],
    ["not valid yet", NOW - 2 * DAY, /^tls_certificate is not valid before Jan 14 12:00:00 2026 GMT$/],
  ])("%s", (_, now, problem) => {
    const problems = problemOfGiven({ certificate: leaf.certificate, privateKey }, HOST, "external", now);
    expect(problems).toEqual([expect.stringMatching(problem)]);
  });

  test("names an expired issuer by its position in the chain", () => {
    const late = problemOfGiven(
      { certificate: chain(leaf, between), privateKey },
      HOST,
      "external",
      NOW + 1000 * DAY,
    );
    expect(late).toEqual([
      expect.stringMatching(/^tls_certificate has expired \(/),
      expect.stringMatching(/^tls_certificate's certificate 2 has expired \(/),
    ]);
  });

  test.each([
    ["tls_certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", privateKey],
    ["tls_private_key", leaf.certificate, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
    ["tls_private_key", leaf.certificate, "not a key"],
  ])("reports an unreadable %s", (input, certificate, key) => {
    const problems = problemOfGiven({ certificate, privateKey: key }, HOST, "external", NOW);
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${input} can't be (parsed|read): .+`))]);
    expect(problems.join()).not.toContain("AAAA");
  });

  test("authorityIn returns what a client must be given, if anything", () => {
    expect(authorityIn(leaf.certificate)).toBeUndefined();
    expect(authorityIn(chain(leaf, between))).toBeUndefined();
    expect(authorityIn(chain(leaf, between, root))).toBe(root.certificate);
    expect(authorityIn(selfSigned.certificate)).toBe(selfSigned.certificate);
  });
});
