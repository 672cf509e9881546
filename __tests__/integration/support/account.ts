import { readFile } from "node:fs/promises";
import { expect, vi } from "vitest";
import { parse, stringify } from "yaml";
import type { TestCluster } from "./cluster.ts";

/** Far more than it takes. */
const LIMIT = { timeout: 100_000, interval: 100 };
const GROUP = "rbac.authorization.k8s.io";

/**
 * Gives a user these rights in a namespace and no others, also if the user had others before.
 *
 * @param rules of a Role; they let the user list pods
 * @returns a kubeconfig of the user's
 */
export async function accountWith(
  cluster: TestCluster,
  namespace: string,
  rules: readonly object[],
): Promise<string> {
  const user = `user-of-${namespace}`;
  const metadata = { name: user, namespace };
  const roleRef = { apiGroup: GROUP, kind: "Role", name: user };
  const subjects = [{ apiGroup: GROUP, kind: "User", name: user }];
  const items = [
    { apiVersion: `${GROUP}/v1`, kind: "Role", metadata, rules },
    { apiVersion: `${GROUP}/v1`, kind: "RoleBinding", metadata, roleRef, subjects },
  ];
  await cluster.apply({ apiVersion: "v1", kind: "List", items });
  // The API server learns of new roles a little later.
  const asked = ["auth", "can-i", "list", "pods", "-n", namespace, `--as=${user}`];
  await vi.waitFor(async () => expect(await cluster.kubectl(...asked).catch(String)).toBe("yes\n"), LIMIT);
  const config = parse(await readFile(cluster.gke.kubeconfig, "utf8"));
  config.users[0].user.as = user;
  return stringify(config);
}
