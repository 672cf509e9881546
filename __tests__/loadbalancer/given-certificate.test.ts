import { describe, expect, test } from "vitest";
import { problemsOfGiven } from "../../src/loadbalancer/given-certificate.ts";
import { certificateWith, DAY, ECDSA_P384, encrypted, NOW, rsa } from "../support/certificates.ts";

const HOST = "my-release.milvus.io";

describe("problemsOfGiven", async () => {
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
    expect(problemsOfGiven({ certificate, privateKey: key }, HOST, "external", NOW)).toEqual([]);
  });

  test("accepts ECDSA P-384 for an internal load balancer", () => {
    const { certificate, privateKey } = p384;
    expect(problemsOfGiven({ certificate, privateKey }, HOST, "internal", NOW)).toEqual([]);
  });

  test("accepts a certificate in its first and in its last second", () => {
    const at = (now: number) =>
      problemsOfGiven({ certificate: leaf.certificate, privateKey }, HOST, "external", now);
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
    expect(problemsOfGiven({ certificate, privateKey: key }, HOST, "external", NOW)).toEqual(problems);
  });

  test.each([
    ["expired", NOW + 364 * DAY, /^tls_certificate has expired \(Jan 14 12:00:00 2027 GMT\)$/],
    ["not valid yet", NOW - 2 * DAY, /^tls_certificate is not valid before Jan 14 12:00:00 2026 GMT$/],
  ])("%s", (_, now, problem) => {
    const problems = problemsOfGiven({ certificate: leaf.certificate, privateKey }, HOST, "external", now);
    expect(problems).toEqual([expect.stringMatching(problem)]);
  });

  test("names an expired issuer by its position in the chain", () => {
    const late = problemsOfGiven(
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
    const problems = problemsOfGiven({ certificate, privateKey: key }, HOST, "external", NOW);
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${input} can't be (parsed|read): .+`))]);
    expect(problems.join()).not.toContain("AAAA");
  });
});
