import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:tls";
import { describe, expect, test } from "vitest";
import { messageOf } from "../../src/base/errors.ts";
import {
  authorityIn,
  chainIn,
  expiryOf,
  isIssuedBy,
  type KeyPair,
  problemOf,
  trustFor,
} from "../../src/loadbalancer/certificate.ts";
import { makeAuthority, makeCertificate } from "../../src/loadbalancer/make-certificate.ts";
import { isConstrainedTo, isOwnAuthority } from "../../src/loadbalancer/name-constraint.ts";
import { certificateWith, DAY, NOW } from "../support/certificates.ts";

const HOST = "my-release.milvus.io";
const LONG_HOST = `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(57)}.example`;

const authority = await makeAuthority(HOST, NOW);
const pair = await makeCertificate(HOST, authority, NOW);

describe("an authority", () => {
  const parsed = new X509Certificate(authority.certificate);

  test("is self-signed and valid for ten years, and signs nothing but the host's own certificates", () => {
    expect(parsed.subject).toBe(`CN=Authority of ${HOST}`);
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(parsed.ca).toBe(true);
    expect(parsed.checkPrivateKey(createPrivateKey(authority.privateKey))).toBe(true);
    expect(parsed.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect(parsed.validToDate.getTime() - parsed.validFromDate.getTime()).toBe(3650 * DAY);
    expect(parsed.validFromDate.getTime()).toBeLessThan(NOW);
    // Basic constraints, critical: an authority, path length 0.
    expect(parsed.raw.toString("hex")).toContain("0603551d130101ff040830060101ff020100");
  });

  test.each([
    [HOST, true],
    ["milvus.io", false],
    ["y-release.milvus.io", false],
    ["other.example.com", false],
  ])("is constrained to its host; to %s: %s", (host, expected) => {
    expect(isConstrainedTo(host, parsed)).toBe(expected);
  });

  test("is known as this action's", async () => {
    expect(isOwnAuthority(authority.certificate)).toBe(true);
    const stranger = { subject: `CN=Authority of ${HOST}`, days: 900, isAuthority: true };
    expect(isOwnAuthority((await certificateWith(stranger)).certificate)).toBe(false);
    for (const other of [pair.certificate, "", "not a certificate"])
      expect(isOwnAuthority(other)).toBe(false);
  });

  test("the host's own certificate is no authority", () => {
    expect(isConstrainedTo(HOST, new X509Certificate(pair.certificate))).toBe(false);
  });

  test.each(["a", "a".repeat(63), `${"a".repeat(60)}.${"b".repeat(60)}.example.com`, LONG_HOST])(
    "is made for a host of any length (%s)",
    async (host) => {
      const long = await makeAuthority(host, NOW);
      const certificate = new X509Certificate(long.certificate);
      expect(isConstrainedTo(host, certificate)).toBe(true);
      expect(certificate.subject).toMatch(/^CN=Authority of .{1,52}$/);
      const leaf = await makeCertificate(host, long, NOW);
      expect(problemOf(leaf, host, NOW)).toBeUndefined();
      expect(isIssuedBy(new X509Certificate(leaf.certificate), certificate)).toBe(true);
    },
  );
});

describe("a certificate", () => {
  test("is an X.509 v3 server certificate for the host, valid for 397 days", () => {
    const parsed = new X509Certificate(pair.certificate);
    expect(parsed.subjectAltName).toBe(`DNS:${HOST}`);
    expect(parsed.subject).toBe(`CN=${HOST}`);
    expect(parsed.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(parsed.ca).toBe(false);
    expect(parsed.checkPrivateKey(createPrivateKey(pair.privateKey))).toBe(true);
    expect(parsed.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect(parsed.validToDate.getTime() - parsed.validFromDate.getTime()).toBe(397 * DAY);
    expect(parsed.validFromDate.getTime()).toBeLessThan(NOW);
    expect(expiryOf(pair.certificate)).toBe("2027-02-16T11:00:00Z");
    expect(pair.certificate.split("\n").every((line) => line.length <= 64)).toBe(true);
    expect(pair.privateKey.split("\n").every((line) => line.length <= 64)).toBe(true);
    expect(pair.privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----\n[\s\S]+\n-----END PRIVATE KEY-----\n$/);
  });

  test("comes with its authority, which is all that clients must trust", () => {
    const [leaf, issuer, ...others] = chainIn(pair.certificate);
    expect(others).toEqual([]);
    expect(issuer?.raw).toEqual(new X509Certificate(authority.certificate).raw);
    expect(leaf && issuer && isIssuedBy(leaf, issuer)).toBe(true);
    expect(authorityIn(pair.certificate)).toBe(authority.certificate);
    expect(trustFor(pair.certificate)).toBe(authority.certificate);
  });

  test.each([
    ["a", "CN=a"],
    [`${"a".repeat(61)}.io`, `CN=${"a".repeat(61)}.io`],
    [`${"a".repeat(62)}.io`, undefined],
  ])("the common name holds a host of at most 64 characters (%s)", async (host, subject) => {
    const { certificate } = await makeCertificate(host, await makeAuthority(host, NOW), NOW);
    expect(new X509Certificate(certificate).subject || undefined).toBe(subject);
  });

  test("ends with its authority at the latest", async () => {
    const { certificate } = await makeCertificate(HOST, authority, NOW + 3500 * DAY);
    expect(expiryOf(certificate)).toBe(expiryOf(authority.certificate));
  });

  test("is another one each time", async () => {
    const other = await makeCertificate(HOST, authority, NOW);
    expect(new X509Certificate(other.certificate).serialNumber).not.toBe(
      new X509Certificate(pair.certificate).serialNumber,
    );
    expect(other.privateKey).not.toBe(pair.privateKey);
  });
});

describe("a client that trusts the authority", async () => {
  const now = Date.now();
  const current = await makeAuthority(HOST, now);

  /** Connects with TLS as a client of a host that trusts `ca`, and returns its error. */
  async function connectTo(host: string, { certificate, privateKey }: KeyPair, ca: string): Promise<string> {
    const server = createServer({ cert: certificate, key: privateKey });
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const socket = connect({ host: "127.0.0.1", port, servername: host, ca });
    try {
      await once(socket, "secureConnect");
      return "connected";
    } catch (error) {
      return messageOf(error);
    } finally {
      socket.destroy();
      server.close();
    }
  }

  test.each([HOST, LONG_HOST, "milvus"])("accepts each certificate of %s", async (host) => {
    const own = host === HOST ? current : await makeAuthority(host, now);
    for (const when of [now, now - 300 * DAY]) {
      expect(await connectTo(host, await makeCertificate(host, own, when), own.certificate)).toBe(
        "connected",
      );
    }
  });

  test("refuses one for another host that the same authority signs", async () => {
    const other = await makeCertificate("other.example.com", current, now);
    expect(await connectTo("other.example.com", other, current.certificate)).toBe(
      "permitted subtree violation",
    );
  });

  test("refuses one of another authority of the same name", async () => {
    const stranger = await makeCertificate(HOST, await makeAuthority(HOST, now), now);
    expect(await connectTo(HOST, stranger, current.certificate)).toBe(
      "self-signed certificate in certificate chain",
    );
    expect(await connectTo(HOST, stranger, current.certificate + stranger.certificate)).toBe("connected");
  });
});
