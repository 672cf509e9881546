import type { ManifestObject } from "../helm/manifest.ts";
import { isOf } from "../kubernetes/objects.ts";
import { podsBehind } from "../milvus/rendered-objects.ts";
import type { LoadBalancerPlan } from "./load-balancer.ts";
import type { RenderedPlan } from "./rendered.ts";

/**
 * Returns the labels of the pods that the load balancer has to wait for, when its objects can be made
 * beside the rest of the rollout: all of them are new, and the upgrade replaces every pod behind Milvus's
 * Service. Pods that GKE's readiness gate holds back until the load balancer sees them healthy would
 * otherwise wait for each other (kubernetes/ingress-gce, pkg/neg/readiness). Returns undefined when the
 * objects have to wait for the whole rollout.
 *
 * @param objects the release's, as rendered
 * @param service the name of Milvus's Service
 * @param hasFiles whether the user's own objects come before the load balancer's
 */
export function awaitedPods(
  objects: Iterable<ManifestObject>,
  service: string,
  change: Pick<RenderedPlan, "restarts" | "creates">,
  { manifests, live }: Pick<LoadBalancerPlan, "manifests" | "live">,
  hasFiles: boolean,
): Record<string, string> | undefined {
  const isNew = manifests.every((manifest) => !live.some(isOf(manifest)));
  const behind = podsBehind([...objects], service);
  const replaced = [...change.restarts, ...change.creates];
  const isReplaced = behind?.workloads.every(({ kind, name }) =>
    replaced.some((one) => one.kind === kind && one.name === name),
  );
  return isNew && !hasFiles && isReplaced ? behind?.labels : undefined;
}
