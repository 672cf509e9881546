import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { load } from "js-yaml";
import { expect, test } from "vitest";
import { accountOf, inClusterKubeconfig, podIdentity } from "../../src/gke/pod-identity.ts";
import { temporaryDirectory } from "../support/google.ts";

async function identityWith(token: string) {
  const tokenFile = join(await temporaryDirectory(), "token");
  await writeFile(tokenFile, token);
  return { server: "https://10.0.0.1:443", tokenFile, authorityFile: "/ca.crt" };
}

const jwt = (claims: object) => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;

test.each<[string, NodeJS.ProcessEnv]>([
  ["no variables", {}],
  ["no port", { KUBERNETES_SERVICE_HOST: "10.0.0.1" }],
  ["no host", { KUBERNETES_SERVICE_PORT: "443" }],
])("there is no identity with %s", (_, environment) => {
  expect(podIdentity(environment)).toBeUndefined();
});

test("the kubeconfig names the files that the kubelet renews", async () => {
  const identity = await identityWith("secret");
  const { path, context } = await inClusterKubeconfig(identity, await temporaryDirectory());
  const text = await readFile(path, "utf8");
  expect(context).toBe("in-cluster");
  expect(load(text)).toMatchObject({
    clusters: [{ cluster: { server: "https://10.0.0.1:443", "certificate-authority": "/ca.crt" } }],
    users: [{ user: { tokenFile: identity.tokenFile } }],
    "current-context": "in-cluster",
  });
  expect(text).not.toContain("secret");
});

test.each([
  [jwt({ sub: "system:serviceaccount:arc:runner" }), "system:serviceaccount:arc:runner"],
  [jwt({}), undefined],
  ["opaque", undefined],
])("the account of the token %s", async (token, account) => {
  expect(await accountOf(await identityWith(token))).toBe(account);
});
