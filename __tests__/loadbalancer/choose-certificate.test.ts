import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { SslCertificate } from "../../src/gke/compute-resources.ts";
import { Secret } from "../../src/kubernetes/objects.ts";
import { type KeyPair, problemOf } from "../../src/loadbalancer/certificate.ts";
import { type ChosenCertificate, chooseCertificate } from "../../src/loadbalancer/choose-certificate.ts";
import { makeCertificate } from "../../src/loadbalancer/make-certificate.ts";
import { secretHashOf } from "../../src/loadbalancer/references.ts";
import { certificateWith, DAY } from "../support/certificates.ts";
import { HOST, settings } from "../support/observed.ts";

let log = "";
beforeEach(() => {
  log = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    log += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const NOWHERE: ChosenCertificate = { newPair: undefined, certificate: undefined, secretHash: undefined };

function hashOf(certificate: string | undefined): string {
  return secretHashOf(Buffer.from(certificate ?? ""));
}

function secretWith({ certificate, privateKey }: KeyPair, metadata: object = {}): Secret {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return v.parse(Secret, {
    metadata: { name: "my-release-milvus-tls", ...metadata },
    data: { "tls.crt": base64(certificate), "tls.key": base64(privateKey) },
  });
}

const lasting = (days: number, names = [HOST]) =>
  certificateWith({ subject: `CN=${HOST}`, names, days: days + 1, from: Date.now() - DAY });

const choose = (inputs: Record<string, string>, secret?: Secret, atGoogle?: SslCertificate[]) =>
  chooseCertificate(settings(inputs), secret, atGoogle);

describe("a certificate that this action makes", () => {
  test("is made if there is none", async () => {
    const chosen = await choose({});
    const { newPair } = chosen;
    expect(newPair && problemOf(newPair, HOST, Date.now())).toBeUndefined();
    expect(chosen).toEqual({
      newPair: expect.anything(),
      certificate: newPair?.certificate,
      secretHash: hashOf(newPair?.certificate),
    });
  });

  test("stays while it is valid for long enough", async () => {
    const live = await makeCertificate(HOST, Date.now());
    const { certificate } = live;
    expect(await choose({}, secretWith(live))).toEqual({
      newPair: undefined,
      certificate,
      secretHash: hashOf(certificate),
    });
    expect(log).toContain("The certificate in Secret my-release-milvus-tls stays: it is valid until ");
  });

  test("stays if somebody else put a valid one there, with its chain and comments", async () => {
    const live = await lasting(90);
    // Not UTF-8, as in what openssl writes about a certificate.
    const bytes = Buffer.from(
      `# M\xfcller's\n${live.certificate}# and its issuer\n${live.certificate}`,
      "latin1",
    );
    const secret = secretWith(live);
    const data = { ...secret.data, "tls.crt": bytes.toString("base64") };
    const chosen = await choose({}, { ...secret, data });
    expect(chosen).toEqual({
      newPair: undefined,
      certificate: live.certificate.repeat(2),
      secretHash: secretHashOf(bytes),
    });
  });

  test.each<[string, () => Promise<KeyPair>, RegExp]>([
    ["near its end", () => lasting(20), /is replaced: it expires in (19|20) days\./],
    [
      "another host's",
      () => lasting(90, ["other.example.com"]),
      /is replaced: it is not for milvus\.example\.com /,
    ],
    [
      "of another key",
      async () => ({ ...(await lasting(90)), privateKey: (await lasting(90)).privateKey }),
      /is replaced: its private key belongs to another certificate\./,
    ],
    ["no certificate", async () => ({ certificate: "", privateKey: "" }), /is replaced: it can't be parsed /],
  ])("is made if the present one is %s", async (_, live, message) => {
    const { newPair } = await choose({}, secretWith(await live()));
    expect(newPair && problemOf(newPair, HOST, Date.now())).toBeUndefined();
    expect(newPair).toBeDefined();
    expect(log).toMatch(message);
  });
});

describe("a certificate from an input that is no longer set", async () => {
  const OURS = {
    managedFields: [{ manager: "milvus-gke-load-balancer", operation: "Apply", fieldsV1: { "f:data": {} } }],
  };
  const authority = await certificateWith({ subject: "CN=CA", days: 900, isAuthority: true });
  const request = { subject: `CN=${HOST}`, names: [HOST], days: 90, from: Date.now() - DAY };

  test("is replaced by one that this action makes", async () => {
    const { newPair } = await choose({}, secretWith(await certificateWith(request, authority), OURS));
    expect(newPair).toBeDefined();
    expect(log).toContain("is replaced: it came from the input tls_certificate, which is no longer set.");
  });

  test("stays if it is self-signed, or if somebody else owns the Secret", async () => {
    expect((await choose({}, secretWith(await certificateWith(request), OURS))).newPair).toBeUndefined();
    expect((await choose({}, secretWith(await certificateWith(request, authority)))).newPair).toBeUndefined();
  });
});

describe("a certificate from the inputs", () => {
  const inputs = ({ certificate, privateKey }: KeyPair) => ({
    tls_certificate: certificate,
    tls_private_key: privateKey,
  });

  test("is written into the Secret once", async () => {
    const mine = await lasting(90);
    const first = await choose(inputs(mine), secretWith(await lasting(90)));
    const { certificate, privateKey } = mine;
    expect(first).toEqual({
      newPair: { certificate, privateKey },
      certificate,
      secretHash: hashOf(certificate),
    });
    expect(await choose(inputs(mine), first.newPair && secretWith(first.newPair))).toEqual({
      newPair: undefined,
      certificate,
      secretHash: hashOf(certificate),
    });
  });

  test("is written again with another chain or key", async () => {
    const [mine, other] = [await lasting(90), await lasting(90)];
    expect((await choose(inputs(mine), secretWith(other))).newPair).toBeDefined();
    const mixed = { certificate: mine.certificate, privateKey: other.privateKey };
    expect((await choose(inputs(mine), secretWith(mixed))).newPair?.privateKey).toBe(mine.privateKey);
    expect(log).not.toContain(mine.privateKey.split("\n")[1]);
  });
});

describe("a certificate in a Secret of the user's", () => {
  const secret = { certificate: "secret" };

  test("is left as it is, with a warning 30 days before it expires", async () => {
    const live = await lasting(90);
    const { certificate } = live;
    const chosen = { newPair: undefined, certificate, secretHash: hashOf(certificate) };
    expect(await choose(secret, secretWith(live))).toEqual(chosen);
    expect(log).toBe("");
    const soon = await lasting(10);
    expect((await choose(secret, secretWith(soon))).newPair).toBeUndefined();
    expect(log).toMatch(
      /^::warning::The certificate in Secret default\/my-release-milvus-tls: it expires in (9|10) days\./,
    );
  });

  test.each<[string, () => Promise<Secret | undefined>, string]>([
    [
      "isn't there",
      async () => undefined,
      "There is no Secret default/my-release-milvus-tls; nothing was changed.",
    ],
    ["has expired", async () => secretWith(await lasting(-0.5)), "Why: it has expired."],
    ["is another host's", async () => secretWith(await lasting(9, ["b"])), `Why: it is not for ${HOST} `],
    [
      "holds something else",
      async () => v.parse(Secret, { metadata: { name: "x" }, data: { password: "eA==" } }),
      "Why: it lacks tls.crt and tls.key; it has password.",
    ],
  ])("is refused: %s", async (_, live, message) => {
    await expect(choose(secret, await live())).rejects.toThrow(message);
  });
});

test("a Google-managed certificate is not known beforehand", async () => {
  const live = secretWith(await makeCertificate(HOST, Date.now()));
  expect(await choose({ certificate: "google-managed" }, live)).toEqual(NOWHERE);
});

describe("pre-shared certificates", () => {
  const inputs = { certificate: "pre-shared", pre_shared_certificates: "a,b" };
  const atGoogle = (certificate?: string): SslCertificate => ({
    name: "a",
    type: "SELF_MANAGED",
    subjectAlternativeNames: [HOST],
    ...(certificate && { certificate }),
  });

  test.each<[string, SslCertificate[] | undefined, string | undefined]>([
    ["can't be looked up", undefined, undefined],
    ["have no text", [atGoogle()], undefined],
    ["are told together", [atGoogle("x\n"), atGoogle(), atGoogle("y\n")], "x\ny\n"],
  ])("%s", async (_, found, certificate) => {
    expect(await choose(inputs, undefined, found)).toEqual({ ...NOWHERE, certificate });
  });
});
