import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { inputsFor, TestCluster } from "./support/cluster.ts";
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
  await cluster.kubectlWith(JSON.stringify({ apiVersion: "v1", kind: "List", items }), "apply", "-f", "-");
  // The API server learns of new roles a little later.
  const asked = ["auth", "can-i", "list", "pods", "-n", namespace, `--as=${namespace}`];
  await expect.poll(() => cluster.kubectl(...asked).catch(String)).toBe("yes\n");
}

/** Runs the action as the user of a namespace. */
async function run(namespace: string, inputs: Record<string, string>): Promise<StepResult> {
  const config = parse(await readFile(cluster.gke.kubeconfig, "utf8"));
  config.users[0].user.as = namespace;
  const job = await cluster.job({ google: false });
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

// Helm 4 patches a Role that stays as it is. Helm 3 doesn't.
test("an account that may only read Roles is refused before Helm 4 patches one", async () => {
  const namespace = "narrow-role";
  await cluster.installSmall(namespace, WITH_ROLE, "helm4");
  const groups = ["", "apps", "batch", "networking.k8s.io", "cloud.google.com"];
  await allow(namespace, [
    { apiGroups: groups, resources: ["*"], verbs: ["*"] },
    { apiGroups: ["rbac.authorization.k8s.io"], resources: ["*"], verbs: ["get", "list", "delete"] },
  ]);
  const before = await cluster.snapshot(namespace);
  const { errors } = await run(namespace, {});
  expect(errors).toHaveLength(1);
  const [error = ""] = errors;
  expect(error.split("\n")).toEqual([
    "The account lacks rights that this run needs; nothing was changed.",
    "Why: in namespace narrow-role it may not: patch roles.rbac.authorization.k8s.io; patch rolebindings.rbac.authorization.k8s.io.",
    expect.stringMatching(/^What to do: grant it roles\/container\.admin .*may only read Roles/),
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
