import type { ManifestObject } from "../helm/manifest.ts";
import type { NewPods } from "../helm/replaced-pods.ts";
import { isOf, type KubernetesObject } from "../kubernetes/objects.ts";
import { type PodsBehind, podsBehind } from "../milvus/rendered-objects.ts";
import type { LoadBalancerPlan } from "./load-balancer.ts";
import type { RenderedPlan } from "./rendered.ts";
import { replicasOf } from "./replicas.ts";

/**
 * Returns the pods that the load balancer has to wait for, when its objects can be made beside the rest of
 * the rollout: all of them are new, and the upgrade replaces every pod behind Milvus's Service. A pod that
 * comes after the load balancer waits until that finds it healthy (kubernetes/ingress-gce,
 * pkg/neg/readiness). Returns undefined when the objects have to wait for the whole rollout.
 *
 * @param objects the release's, as rendered
 * @param workloads the release's live ones
 * @param service the name of Milvus's Service
 * @param hasFiles whether the user's own objects come before the load balancer's
 */
export function awaitedPods(
  objects: readonly ManifestObject[],
  workloads: readonly KubernetesObject[],
  service: string,
  change: Pick<RenderedPlan, "restarts" | "creates">,
  { manifests, live }: Pick<LoadBalancerPlan, "manifests" | "live">,
  hasFiles: boolean,
): NewPods | undefined {
  const isNew = manifests.every((manifest) => !live.some(isOf(manifest)));
  const behind = podsBehind(objects, service);
  if (!behind || !isNew || hasFiles) return undefined;
  const replaced = [...change.restarts, ...change.creates];
  const isReplaced = behind.workloads.every(({ kind, name }) =>
    replaced.some((one) => one.kind === kind && one.name === name),
  );
  const count = countOf(behind, objects, workloads);
  return isReplaced && count > 0 ? { labels: behind.labels, count } : undefined;
}

/** Returns how many pods there will be; 0 when a DaemonSet makes them, one for each node. */
function countOf(
  behind: PodsBehind,
  objects: readonly ManifestObject[],
  live: readonly KubernetesObject[],
): number {
  if (behind.workloads.some(({ kind }) => kind === "DaemonSet")) return 0;
  return behind.workloads
    .map(({ kind, name }) => {
      const isSame = (object: Pick<ManifestObject, "kind"> & { metadata: { name: string } }) =>
        object.kind === kind && object.metadata.name === name;
      // Helm leaves a number alone that isn't in the manifest. The API server's default is 1.
      return replicasOf(objects.find(isSame)) ?? replicasOf(live.find(isSame)) ?? 1;
    })
    .reduce((sum, replicas) => sum + replicas, 0);
}
