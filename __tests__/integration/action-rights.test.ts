import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { accountWith } from "./support/account.ts";
import { type HelmName, useCluster } from "./support/cluster.ts";

const cluster = useCluster();

interface Role {
  kind: string;
  metadata: { name: string };
  rules: object[];
}

/** Returns the rules of a Role that docs/permissions.md shows. */
async function rulesOf(name: string): Promise<object[]> {
  const page = await readFile(join(import.meta.dirname, "../../docs/permissions.md"), "utf8");
  const blocks: Role[] = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, block]) => parse(block ?? ""));
  const role = blocks.find(({ kind, metadata }) => kind === "Role" && metadata.name === name);
  return role?.rules ?? expect.unreachable(`docs/permissions.md has no Role ${name}`);
}

/** With it the chart renders a Role. */
const WITH_ROLE = { pulsarv3: { enabled: true } };

test.concurrent("the Roles of docs/permissions.md are enough for plan, deploy and teardown", async () => {
  const namespace = "documented-rights";
  await cluster.installSmall(namespace, { standalone: { persistence: { enabled: true } } });
  const kubeconfig = await accountWith(cluster, namespace, [
    ...(await rulesOf("milvus-deployer")),
    ...(await rulesOf("milvus-teardown")),
  ]);
  for (const inputs of [{ mode: "plan" }, {}, { mode: "teardown", restore_layer4: "true" }]) {
    await cluster.deploy(namespace, { kubeconfig, ...inputs }, { google: false });
  }
  expect(await cluster.revisions(namespace)).toEqual(["superseded", "superseded", "deployed"]);
});

/**
 * Installs a release from a chart with a Role, and returns a kubeconfig of an account that may do everything
 * but make and change Roles.
 */
async function installWithRole(namespace: string, helm: HelmName): Promise<string> {
  await cluster.installSmall(namespace, WITH_ROLE, helm);
  const groups = ["", "apps", "batch", "networking.k8s.io", "cloud.google.com"];
  return accountWith(cluster, namespace, [
    { apiGroups: groups, resources: ["*"], verbs: ["*"] },
    { apiGroups: ["rbac.authorization.k8s.io"], resources: ["*"], verbs: ["get", "list", "delete"] },
  ]);
}

test.concurrent("Helm 3 doesn't touch an unchanged Role: an account that may only read it can deploy", async () => {
  const namespace = "narrow-role-3";
  const kubeconfig = await installWithRole(namespace, "helm3");
  await cluster.deploy(namespace, { kubeconfig, wait_for: "none" }, { helm: "helm3", google: false });
});

test.concurrent("Helm 4 would patch it: such an account is refused before the first change", async () => {
  const namespace = "narrow-role";
  const kubeconfig = await installWithRole(namespace, "helm4");
  const { error } = await cluster.refusal(namespace, { kubeconfig }, { helm: "helm4", google: false });
  expect(error.split("\n")).toEqual([
    "The account lacks rights that this run needs; nothing was changed.",
    "Why: in namespace narrow-role it may not: patch roles.rbac.authorization.k8s.io; patch rolebindings.rbac.authorization.k8s.io.",
    expect.stringMatching(/^What to do: grant it roles\/container\.admin .*may only read Roles/),
    "More: docs/troubleshooting.md#missing-rights",
  ]);
});

test.concurrent("an account that lacks the rights which a new Role gives is refused", async () => {
  const namespace = "narrow-grant";
  await cluster.installSmall(namespace);
  const rules = [...(await rulesOf("milvus-deployer")), ...(await rulesOf("milvus-roles"))];
  const kubeconfig = await accountWith(cluster, namespace, rules);
  const inputs = { kubeconfig, values: stringify(WITH_ROLE) };
  const { error } = await cluster.refusal(namespace, inputs, { google: false });
  expect(error).toMatch(
    /^The API server refuses Role narrow-grant\/my-release-pulsarv3-broker-role; nothing was changed\.\nWhy: .*not currently held.*watch.*\nWhat to do: .*escalate/s,
  );
});
