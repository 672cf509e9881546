import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { parse } from "yaml";
import type { TestCluster } from "./cluster.ts";

/** Where the kubelet mounts a pod's ServiceAccount. */
const FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Tells whether this machine lets a test play the kubelet: it is no pod, and the test is root. */
export function canMountServiceAccount(): boolean {
  return process.getuid?.() === 0 && !existsSync(FOLDER);
}

/**
 * Makes a ServiceAccount with all rights and writes what the kubelet writes into a pod,
 * until the test has finished.
 *
 * @returns what a pod has in its environment
 */
export async function mountServiceAccount(
  cluster: TestCluster,
  name: string,
): Promise<Record<string, string>> {
  const account = `--serviceaccount=default:${name}`;
  await cluster.kubectl("create", "serviceaccount", name);
  await cluster.kubectl("create", "clusterrolebinding", name, "--clusterrole=cluster-admin", account);
  const { clusters } = parse(await cluster.kubectl("config", "view", "--raw"));
  const { server, "certificate-authority-data": authority } = clusters[0].cluster;
  const created = (await mkdir(FOLDER, { recursive: true })) ?? FOLDER;
  onTestFinished(async () => {
    await rm(created, { recursive: true });
    await cluster.kubectl("delete", "clusterrolebinding", name);
    await cluster.kubectl("delete", "serviceaccount", name);
  });
  await writeFile(join(FOLDER, "ca.crt"), Buffer.from(authority, "base64"));
  await writeFile(join(FOLDER, "token"), await cluster.kubectl("create", "token", name));
  const { hostname, port } = new URL(server);
  return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
}
