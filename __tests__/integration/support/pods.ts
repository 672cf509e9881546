import type { TestCluster } from "./cluster.ts";
import { STANDALONE } from "./names.ts";

/** Values with which pods crash again and again. */
export const CRASH = "annotations:\n  local-gke/pod: crash-loop\n";

/** Values with which pods get ready after this time, e.g. `5s`. */
export function readyAfter(time: string): string {
  return `annotations:\n  local-gke/ready-after: ${time}\n`;
}

/** Waits until Helm waits for the pods of an upgrade with the values of {@link readyAfter} an hour. */
export async function untilRollout(cluster: TestCluster, namespace: string): Promise<void> {
  const condition = "--for=jsonpath={.spec.template.metadata.annotations.local-gke/ready-after}=1h";
  await cluster.kubectl("wait", condition, "-n", namespace, `deployment/${STANDALONE}`, "--timeout=300s");
}

/** Waits until Helm has begun to make a revision of release my-release. */
export async function untilRevision(
  cluster: TestCluster,
  namespace: string,
  revision: number,
): Promise<void> {
  const secret = `secret/sh.helm.release.v1.my-release.v${revision}`;
  await cluster.kubectl("wait", "--for=create", secret, "-n", namespace, "--timeout=300s");
}

/** What the pods of a small release are made from. */
export async function podTemplate(cluster: TestCluster, namespace: string): Promise<unknown> {
  const { spec } = await cluster.get(namespace, "Deployment", STANDALONE);
  return Object(spec).template;
}
