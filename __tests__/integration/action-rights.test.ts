import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { HELM, type HelmName, inputsFor, TestCluster } from "./support/cluster.ts";
import type { StepResult } from "./support/job.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());

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

/** Gives a user, named like the namespace, these rights there and no others. */
async function allow(namespace: string, rules: object[]): Promise<void> {
  const apiGroup = "rbac.authorization.k8s.io";
  const apiVersion = `${apiGroup}/v1`;
  const metadata = { name: "account-of-the-run", namespace };
  const items = [
    { apiVersion, kind: "Role", metadata, rules },
    {
      apiVersion,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup, kind: "Role", name: metadata.name },
      subjects: [{ apiGroup, kind: "User", name: namespace }],
    },
  ];
  await cluster.apply({ apiVersion: "v1", kind: "List", items });
  // The API server learns of new roles a little later.
  const asked = ["auth", "can-i", "list", "pods", "-n", namespace, `--as=${namespace}`];
  await expect.poll(() => cluster.kubectl(...asked).catch(String)).toBe("yes\n");
}

/** Runs the action as the user of a namespace. */
async function run(namespace: string, inputs: Record<string, string>, helm = HELM): Promise<StepResult> {
  const config = parse(await readFile(cluster.gke.kubeconfig, "utf8"));
  config.users[0].user.as = namespace;
  const job = await cluster.job({ helm, google: false });
  return job.main({ ...inputsFor(namespace), kubeconfig: stringify(config), ...inputs });
}

/** With it the chart renders a Role. */
const WITH_ROLE = { pulsarv3: { enabled: true } };

test("the Roles of docs/permissions.md are enough for plan, deploy and teardown", async () => {
  const namespace = "documented-rights";
  await cluster.installSmall(namespace, { standalone: { persistence: { enabled: true } } });
  await allow(namespace, [...(await rulesOf("milvus-deployer")), ...(await rulesOf("milvus-teardown"))]);
  for (const inputs of [{ mode: "plan" }, {}, { mode: "teardown", restore_layer4: "true" }]) {
    const { errors, lines } = await run(namespace, inputs);
    expect(errors, lines.join("\n")).toEqual([]);
  }
  expect(await cluster.revisions(namespace)).toEqual(["superseded", "superseded", "deployed"]);
});

/**
 * Installs a release from a chart with a Role, and allows its user everything but to make and change Roles.
 */
async function installWithRole(namespace: string, helm: HelmName): Promise<void> {
  await cluster.installSmall(namespace, WITH_ROLE, helm);
  const groups = ["", "apps", "batch", "networking.k8s.io", "cloud.google.com"];
  await allow(namespace, [
    { apiGroups: groups, resources: ["*"], verbs: ["*"] },
    { apiGroups: ["rbac.authorization.k8s.io"], resources: ["*"], verbs: ["get", "list", "delete"] },
  ]);
}

test("Helm 3 doesn't touch an unchanged Role: an account that may only read it can deploy", async () => {
  await installWithRole("narrow-role-3", "helm3");
  const { errors, lines } = await run("narrow-role-3", { wait_for: "none" }, "helm3");
  expect(errors, lines.join("\n")).toEqual([]);
});

test("Helm 4 would patch it: such an account is refused before the first change", async () => {
  const namespace = "narrow-role";
  await installWithRole(namespace, "helm4");
  const before = await cluster.snapshot(namespace);
  const { errors } = await run(namespace, {}, "helm4");
  expect(errors).toHaveLength(1);
  const [error = ""] = errors;
  expect(error.split("\n")).toEqual([
    "The account lacks rights that this run needs; nothing was changed.",
    "Why: in namespace narrow-role it may not: patch roles.rbac.authorization.k8s.io; patch rolebindings.rbac.authorization.k8s.io.",
    expect.stringMatching(/^What to do: grant it roles\/container\.admin .*may only read Roles/),
    "More: docs/troubleshooting.md#missing-rights",
  ]);
  expect(await cluster.snapshot(namespace)).toEqual(before);
});

test("an account that lacks the rights which a new Role gives is refused", async () => {
  const namespace = "narrow-grant";
  await cluster.installSmall(namespace);
  await allow(namespace, [...(await rulesOf("milvus-deployer")), ...(await rulesOf("milvus-roles"))]);
  const before = await cluster.snapshot(namespace);
  const { errors } = await run(namespace, { values: stringify(WITH_ROLE) });
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(
    /^The API server refuses Role narrow-grant\/my-release-pulsarv3-broker-role; nothing was changed\.\nWhy: .*not currently held.*watch.*\nWhat to do: .*escalate/s,
  );
  expect(await cluster.snapshot(namespace)).toEqual(before);
});
