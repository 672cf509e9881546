import { expect, test } from "vitest";
import { credentialsEnd } from "../../src/gke/kubeconfig-expiry.ts";
import { NOW, selfSigned } from "../support/certificates.ts";

const jwt = (claims: object) => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
const TOKEN = jwt({ exp: NOW / 1000 });
const { certificate } = await selfSigned("deployer");
const base64 = Buffer.from(certificate).toString("base64");

/** A kubeconfig whose context `c` has the user `u`. */
const config = (user: object) => ({
  contexts: [
    { name: "other", context: { cluster: "k", user: "other" } },
    { name: "c", context: { cluster: "k", user: "u" } },
  ],
  users: [
    { name: "other", user: { token: jwt({ exp: 1 }) } },
    { name: "u", user },
  ],
});

test.each<[what: string, user: object, end: number | undefined]>([
  ["a token that says when it ends", { token: TOKEN }, NOW],
  ["a token that doesn't", { token: jwt({ sub: "me" }) }, undefined],
  ["an opaque token", { token: "opaque" }, undefined],
  ["a token beside the file that wins over it", { token: TOKEN, tokenFile: "/token" }, undefined],
  ["a program that renews", { token: TOKEN, exec: { command: "gke-gcloud-auth-plugin" } }, undefined],
  ["a certificate that can't be parsed", { "client-certificate-data": "eA==" }, undefined],
  ["nothing", {}, undefined],
])("the credentials' end: %s", (_, user, end) => {
  expect(credentialsEnd([config(user)], "c")).toBe(end);
});

test("the credentials' end: a client's certificate", () => {
  expect(credentialsEnd([config({ "client-certificate-data": base64 })], "c")).toBeGreaterThan(Date.now());
});

test("of several files, the first that has the user counts", () => {
  const first = { users: [{ name: "u", user: { token: TOKEN } }] };
  expect(credentialsEnd([first, config({ token: jwt({ exp: 1 }) })], "c")).toBe(NOW);
});

test("a context without a user, and none at all", () => {
  expect(credentialsEnd([{ contexts: [{ name: "c", context: {} }] }], "c")).toBeUndefined();
  expect(credentialsEnd([{}, null], "c")).toBeUndefined();
});
