import { X509Certificate } from "node:crypto";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { SslCertificate } from "../../src/gke/compute-resources.ts";
import { Secret } from "../../src/kubernetes/objects.ts";
import {
  authorityIn,
  chainIn,
  isIssuedBy,
  type KeyPair,
  problemOf,
} from "../../src/loadbalancer/certificate.ts";
import { chooseCertificate } from "../../src/loadbalancer/choose-certificate.ts";
import type { ChosenCertificate } from "../../src/loadbalancer/chosen-certificate.ts";
import { makeAuthority, makeCertificate } from "../../src/loadbalancer/make-certificate.ts";
import { secretHashOf } from "../../src/loadbalancer/presented-certificates.ts";
import { certificateWith, DAY, selfSigned } from "../support/certificates.ts";
import { captureLog } from "../support/job-log.ts";
import { HOST, settings } from "../support/observed.ts";

const log = captureLog();

/** What is chosen where this action writes nothing. */
const NOTHING_NEW = { newPair: undefined, newAuthority: undefined, authority: undefined, move: undefined };
const NOWHERE: ChosenCertificate = { ...NOTHING_NEW, certificate: undefined, secretHash: undefined };

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

const OURS = {
  managedFields: [{ manager: "milvus-gke-load-balancer", operation: "Apply", fieldsV1: { "f:data": {} } }],
};
const PERSONS = {
  managedFields: [{ manager: "kubectl-client-side-apply", operation: "Update", fieldsV1: { "f:data": {} } }],
};
const THEIRS = {
  managedFields: [{ manager: "cert-manager", operation: "Update", fieldsV1: { "f:data": {} } }],
};

const choose = (
  inputs: Record<string, string>,
  tlsSecret?: Secret,
  atGoogle?: SslCertificate[],
  authoritySecret?: Secret,
) => chooseCertificate(settings(inputs), { tlsSecret, authoritySecret }, atGoogle);

/** Chooses for the default inputs, with these key pairs in this action's own Secrets. */
const chooseMade = (live: KeyPair | undefined, authority?: KeyPair, owner: object = OURS) =>
  choose({}, live && secretWith(live, owner), undefined, authority && secretWith(authority, OURS));

/** A certificate that this action made and that ends in this many days. */
const madeBy = (authority: KeyPair, days: number, host = HOST) =>
  makeCertificate(host, authority, Date.now() - (397 - days) * DAY + 7_200_000);

const fingerprintOf = (certificate: string | undefined) =>
  certificate && new X509Certificate(certificate).fingerprint256;

/** Expects a new certificate that clients who trust this authority accept. */
function expectRenewed({ newPair, certificate, secretHash }: ChosenCertificate, authority: string): void {
  expect(newPair && problemOf(newPair, HOST, Date.now())).toBeUndefined();
  const [leaf, issuer] = chainIn(certificate ?? "");
  expect(issuer?.fingerprint256).toBe(fingerprintOf(authority));
  expect(leaf && issuer && isIssuedBy(leaf, issuer)).toBe(true);
  expect({ certificate, secretHash }).toEqual({
    certificate: newPair?.certificate,
    secretHash: hashOf(newPair?.certificate),
  });
}

describe("a certificate that this action makes", async () => {
  const authority = await makeAuthority(HOST, Date.now() - 300 * DAY);

  test("is made with an authority if there is neither", async () => {
    const chosen = await chooseMade(undefined);
    const made = chosen.newAuthority?.certificate ?? "";
    expectRenewed(chosen, made);
    expect(chosen).toMatchObject({ authority: made, move: undefined });
  });

  test("is made under the authority that is there", async () => {
    const chosen = await chooseMade(undefined, authority);
    expectRenewed(chosen, authority.certificate);
    expect(chosen).toMatchObject({ newAuthority: undefined, authority: authority.certificate });
  });

  test("stays while it is valid for long enough, with its authority", async () => {
    for (const days of [300, 59, 31]) {
      const live = await madeBy(authority, days);
      expect(await chooseMade(live, authority)).toEqual({
        ...NOTHING_NEW,
        certificate: live.certificate,
        authority: authority.certificate,
        secretHash: hashOf(live.certificate),
      });
    }
    expect(log.text).toContain("The certificate in Secret my-release-milvus-tls stays: it is valid until ");
  });

  test.each([20, 0, -3])("is renewed under the same authority with %i days left", async (days) => {
    const chosen = await chooseMade(await madeBy(authority, days), authority);
    expectRenewed(chosen, authority.certificate);
    expect(chosen).toMatchObject({
      newAuthority: undefined,
      authority: authority.certificate,
      move: undefined,
    });
  });

  test("restored from a backup by a person it is renewed as before", async () => {
    const chosen = await chooseMade(await madeBy(authority, 20), authority, PERSONS);
    expectRenewed(chosen, authority.certificate);
    expect(chosen).toMatchObject({ newAuthority: undefined, authority: authority.certificate });
  });

  test("gets another authority with another host", async () => {
    const other = await makeAuthority("other.example.com", Date.now());
    const chosen = await chooseMade(await madeBy(other, 300, "other.example.com"), other);
    expect(log.text).toContain(`is replaced: it is not for ${HOST} `);
    expect(log.text).toContain(
      `The authority in Secret my-release-milvus-tls-ca signs no more certificates: it is not an authority for ${HOST}.`,
    );
    expectRenewed(chosen, chosen.newAuthority?.certificate ?? "");
    expect(chosen).toMatchObject({ authority: chosen.newAuthority?.certificate, move: undefined });
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
      ...NOTHING_NEW,
      certificate: live.certificate.repeat(2),
      authority: live.certificate.repeat(2),
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
    expect(log.text).toMatch(message);
  });
});

describe("another authority", async () => {
  const authority = await makeAuthority(HOST, Date.now());
  const ending = await makeAuthority(HOST, Date.now() - (3650 - 50) * DAY);

  /** The cases that need a renewal: a certificate that ends in some days, and the authority in its Secret. */
  const CASES: [string, (days: number) => Promise<[live: KeyPair, kept: KeyPair | undefined]>][] = [
    ["a certificate that is its own authority", async (days) => [await lasting(days), undefined]],
    ["an authority whose Secret is gone", async (days) => [await madeBy(authority, days), undefined]],
    [
      "an authority whose key is another's",
      async (days) => [
        await madeBy(authority, days),
        { ...authority, privateKey: (await makeAuthority(HOST, Date.now())).privateKey },
      ],
    ],
    [
      "an authority that ends",
      async (days) => [await makeCertificate(HOST, ending, Date.now() - (397 - days) * DAY), ending],
    ],
  ];

  // The last one's certificate ends with its authority.
  test.each(CASES.slice(0, -1))("%s: nothing changes before that", async (_, given) => {
    const [live, kept] = await given(100);
    expect(await chooseMade(live, kept)).toEqual({
      ...NOTHING_NEW,
      certificate: live.certificate,
      authority: authorityIn(live.certificate),
      secretHash: hashOf(live.certificate),
    });
  });

  test.each(CASES)("%s: it is made 60 days before, so that clients can have both", async (_, given) => {
    const [live, kept] = await given(45);
    const announced = await chooseMade(live, kept);
    const next = announced.newAuthority;
    const end = new X509Certificate(live.certificate).validToDate;
    expect(announced).toEqual({
      newPair: undefined,
      newAuthority: next,
      certificate: live.certificate,
      authority: `${authorityIn(live.certificate)}${next?.certificate}`,
      move: { from: new Date(end.getTime() - 30 * DAY).toISOString().replace(".000Z", "Z") },
      secretHash: hashOf(live.certificate),
    });
    // The next run finds it in its Secret.
    expect(await chooseMade(live, next)).toEqual({ ...announced, newAuthority: undefined });
  });

  test.each(CASES)("%s: it signs from 30 days before on, and clients are given both", async (_, given) => {
    const [live, kept] = await given(20);
    const moved = await chooseMade(live, kept);
    const next = moved.newAuthority?.certificate ?? "";
    expectRenewed(moved, next);
    expect(moved).toMatchObject({
      authority: `${next}${authorityIn(live.certificate)}`,
      move: { from: undefined },
    });
    // Announced before, it is there already.
    const announced = await makeAuthority(HOST, Date.now());
    const later = await chooseMade(live, announced);
    expectRenewed(later, announced.certificate);
    expect(later).toMatchObject({
      newAuthority: undefined,
      authority: `${announced.certificate}${authorityIn(live.certificate)}`,
      move: { from: undefined },
    });
  });

  test("is no matter for a certificate that somebody else keeps", async () => {
    const live = await lasting(45);
    expect(await chooseMade(live, undefined, THEIRS)).toEqual({
      ...NOTHING_NEW,
      certificate: live.certificate,
      authority: live.certificate,
      secretHash: hashOf(live.certificate),
    });
  });
});

describe("a certificate from an input that is no longer set", async () => {
  const authority = await certificateWith({ subject: "CN=CA", days: 900, isAuthority: true });
  const request = { subject: `CN=${HOST}`, names: [HOST], days: 90, from: Date.now() - DAY };

  test("is replaced by one that this action makes", async () => {
    const { newPair } = await choose({}, secretWith(await certificateWith(request, authority), OURS));
    expect(newPair).toBeDefined();
    expect(log.text).toContain(
      "is replaced: it came from the input tls_certificate, which is no longer set.",
    );
  });

  test("stays until its end if an authority has signed it and somebody else owns the Secret", async () => {
    const authority = await certificateWith({ subject: "CN=CA", days: 900, isAuthority: true });
    const from = Date.now() - DAY;
    const soon = await certificateWith({ subject: `CN=${HOST}`, names: [HOST], days: 11, from }, authority);
    expect((await choose({}, secretWith(soon, THEIRS))).newPair).toBeUndefined();
    expect(log.text).toContain("it expires in 9 days. The owner of that Secret must renew it.");
    expect((await choose({}, secretWith(soon, OURS))).newPair).toBeDefined();
    const over = await certificateWith(
      { subject: `CN=${HOST}`, names: [HOST], days: 1, from: from - DAY },
      authority,
    );
    expect((await choose({}, secretWith(over, THEIRS))).newPair).toBeDefined();
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
      ...NOTHING_NEW,
      newPair: { certificate, privateKey },
      certificate,
      authority: certificate,
      secretHash: hashOf(certificate),
    });
    expect(await choose(inputs(mine), first.newPair && secretWith(first.newPair))).toEqual({
      ...NOTHING_NEW,
      certificate,
      authority: certificate,
      secretHash: hashOf(certificate),
    });
  });

  test("is named when it ends soon: only its owner can renew it", async () => {
    await choose(inputs(await lasting(31)));
    expect(log.text).not.toContain("::warning");
    await choose(inputs(await lasting(9)));
    expect(log.text).toMatch(/::warning.*input tls_certificate: it expires in \d days\. Give a newer one/);
  });

  test("is written again with another chain or key", async () => {
    const [mine, other] = [await lasting(90), await lasting(90)];
    expect((await choose(inputs(mine), secretWith(other))).newPair).toBeDefined();
    const mixed = { certificate: mine.certificate, privateKey: other.privateKey };
    expect((await choose(inputs(mine), secretWith(mixed))).newPair?.privateKey).toBe(mine.privateKey);
    expect(log.text).not.toContain(mine.privateKey.split("\n")[1]);
  });
});

describe("a certificate in a Secret of the user's", () => {
  const secret = { certificate: "secret" };

  test("is trusted by the authority that cert-manager keeps beside it", async () => {
    const authority = await makeAuthority(HOST, Date.now());
    const live = secretWith(await lasting(90), THEIRS);
    const base64 = Buffer.from(authority.certificate).toString("base64");
    const chosen = await choose(secret, { ...live, data: { ...live.data, "ca.crt": base64 } });
    expect(chainIn(chosen.certificate ?? "")).toHaveLength(2);
    expect(chosen.certificate).toContain(authority.certificate);
  });

  test("is left as it is, with a warning 30 days before it expires", async () => {
    const live = await lasting(90);
    const { certificate } = live;
    const chosen = { ...NOTHING_NEW, certificate, secretHash: hashOf(certificate) };
    expect(await choose(secret, secretWith(live))).toEqual(chosen);
    expect(log.text).toBe("");
    const soon = await lasting(10);
    expect((await choose(secret, secretWith(soon))).newPair).toBeUndefined();
    expect(log.text).toMatch(
      /^::warning title=Milvus on GKE::The certificate in Secret default\/my-release-milvus-tls: it expires in (9|10) days\./,
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
  const live = secretWith(await selfSigned(HOST));
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
    ["are returned together", [atGoogle("x\n"), atGoogle(), atGoogle("y\n")], "x\ny\n"],
  ])("%s", async (_, found, certificate) => {
    expect(await choose(inputs, undefined, found)).toEqual({ ...NOWHERE, certificate });
  });

  test("that end soon are named, unless Google renews them", async () => {
    const expireTime = new Date(Date.now() + 9.5 * DAY).toISOString();
    const later = new Date(Date.now() + 31 * DAY).toISOString();
    const managed = { domains: [HOST], domainStatus: {} };
    await choose(inputs, undefined, [
      { ...atGoogle(), expireTime },
      { ...atGoogle(), name: "b", expireTime: later },
      { ...atGoogle(), name: "c", expireTime, managed },
    ]);
    expect(log.text.match(/::warning.*/g)).toEqual([
      expect.stringMatching(/The pre-shared certificate a expires in \d days\. Make a newer one/),
    ]);
  });
});
