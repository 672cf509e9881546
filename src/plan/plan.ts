import { isDeepStrictEqual } from "node:util";
import type { Settings } from "../inputs/settings.ts";
import { isOf, type KubernetesObject } from "../kubernetes/objects.ts";
import type { KeyPair } from "../loadbalancer/certificate.ts";
import type { Observed } from "../observe/cluster.ts";
import { type LoadBalancerPlan, planLoadBalancer } from "./load-balancer.ts";
import { planRelease, type ReleasePlan } from "./release.ts";

/** What a run will do. */
export interface Plan {
  release: ReleasePlan;
  loadBalancer: LoadBalancerPlan;
}

/** What becomes of an object of ours. */
export interface ObjectChange {
  kind: string;
  name: string;
  action: "create" | "change" | "keep" | "take over" | "delete";
}

/**
 * Decides everything that a run will do. Pure: the same settings and observations give the same plan.
 *
 * @param newCertificate a key pair to put into the Secret; undefined while the one in the cluster is good
 * @throws ActionError when the release can't be put behind the load balancer as it is
 */
export function makePlan(settings: Settings, observed: Observed, newCertificate: KeyPair | undefined): Plan {
  const release = planRelease(settings, observed);
  return { release, loadBalancer: planLoadBalancer(settings, observed, release.port, newCertificate) };
}

/** Compares what the API server would store with what is there. */
export function objectChanges(
  before: readonly KubernetesObject[],
  after: readonly KubernetesObject[],
): ObjectChange[] {
  return after.map((object) => {
    const { kind, metadata } = object;
    const live = before.find(isOf(object));
    const action = !live ? "create" : isDeepStrictEqual(content(live), content(object)) ? "keep" : "change";
    return { kind, name: metadata.name, action };
  });
}

/** An object without the metadata that the API server keeps for itself. */
function content(object: KubernetesObject): object {
  const { managedFields: _, resourceVersion: __, generation: ___, ...metadata } = object.metadata;
  return { ...object, metadata };
}
