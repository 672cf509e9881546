import { rootCertificates } from "node:tls";
import { describe, expect, test } from "vitest";
import { authorityIn, certificatesIn, problemOf, trustFor } from "../../src/loadbalancer/certificate.ts";
import { certificateWith, DAY, NOW } from "../support/certificates.ts";

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

test("authorityIn returns what a client must be given, if anything", async () => {
  const root = await certificateWith({ subject: "CN=Root", days: 9000, isAuthority: true });
  const between = await certificateWith({ subject: "CN=Between", days: 900, isAuthority: true }, root);
  const leaf = await certificateWith({ subject: `CN=${HOST}`, names: [HOST], days: 365 }, between);
  const selfSigned = await certificateWith({ subject: `CN=${HOST}`, names: [HOST], days: 365 });
  expect(authorityIn(leaf.certificate)).toBeUndefined();
  expect(authorityIn(leaf.certificate + between.certificate)).toBeUndefined();
  expect(authorityIn(leaf.certificate + between.certificate + root.certificate)).toBe(root.certificate);
  expect(authorityIn(selfSigned.certificate)).toBe(selfSigned.certificate);
});
