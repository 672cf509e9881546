import * as v from "valibot";
import { expect, test } from "vitest";
import { credentialsEnd, KubeconfigFile } from "../../src/gke/kubeconfig-expiry.ts";
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

const endIn = (files: unknown[], context: string) =>
  credentialsEnd(
    files.map((file) => v.parse(KubeconfigFile, file)),
    context,
  );

test.each<[what: string, user: object, end: number | undefined]>([
  ["a token that says when it ends", { token: TOKEN }, NOW],
  ["a token that doesn't", { token: jwt({ sub: "me" }) }, undefined],
  ["an opaque token", { token: "opaque" }, undefined],
  ["a token beside the file that wins over it", { token: TOKEN, tokenFile: "/token" }, undefined],
  ["a program that renews", { token: TOKEN, exec: { command: "gke-gcloud-auth-plugin" } }, undefined],
  ["a certificate that can't be parsed", { "client-certificate-data": "eA==" }, undefined],
  ["nothing", {}, undefined],
])("the credentials' end: %s", (_, user, end) => {
  expect(endIn([config(user)], "c")).toBe(end);
});

test("the credentials' end: a client's certificate", () => {
  expect(endIn([config({ "client-certificate-data": base64 })], "c")).toBeGreaterThan(Date.now());
});

test("of several files, the first that has the user counts", () => {
  const first = { users: [{ name: "u", user: { token: TOKEN } }] };
  expect(endIn([first, config({ token: jwt({ exp: 1 }) })], "c")).toBe(NOW);
});

test("a context without a user, and none at all", () => {
  expect(endIn([{ contexts: [{ name: "c", context: {} }] }], "c")).toBeUndefined();
  expect(endIn([{}, null], "c")).toBeUndefined();
});

test("malformed entries hide no others", () => {
  const { contexts, users } = config({ token: TOKEN });
  const file = { contexts: [null, 1, ...contexts], users: [{ name: "u2", user: 5 }, "x", ...users] };
  expect(endIn([file], "c")).toBe(NOW);
});
