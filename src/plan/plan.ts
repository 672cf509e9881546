import { parseManifest } from "../helm/manifest.ts";
import type { NewPods } from "../helm/replaced-pods.ts";
import type { Settings } from "../inputs/settings.ts";
import type { FileManifest } from "../kubernetes/manifest-documents.ts";
import { refuseOwnObjects } from "../kubernetes/manifest-files.ts";
import type { Ingress } from "../kubernetes/objects.ts";
import type { Observed } from "../observe/observed.ts";
import { awaitedPods } from "./awaited-pods.ts";
import type { ObjectChange } from "./changes.ts";
import { type PolicyAction, policyActionOf } from "./client-policy.ts";
import { openDoorOf } from "./exposure.ts";
import { googleChanges } from "./google.ts";
import { leavingIngress, withoutIngress } from "./leaving-ingress.ts";
import { type LoadBalancerPlan, planLoadBalancer } from "./load-balancer.ts";
import { nextUpgrade, type ReleasePlan } from "./release.ts";
import { planRendered, type Rendered, type RenderedPlan } from "./rendered.ts";

/** What a deployment will do. */
export interface Plan {
  release: ReleasePlan;
  /** What the next upgrade does to the release's objects; undefined when there is none. */
  rendered: RenderedPlan | undefined;
  loadBalancer: LoadBalancerPlan;
  /** The Ingress of the same name that must be gone before this action's own can be made. */
  leavingIngress: Ingress | undefined;
  /** The user's own objects, which are applied before the load balancer's. */
  files: readonly FileManifest[];
  /** What becomes of the Cloud Armor policy of allowed_ranges. */
  clientPolicy: PolicyAction | undefined;
  /** The pods after which the load balancer's objects are made; undefined: after the whole rollout. */
  awaitedPods: NewPods | undefined;
  /** What changes at Google, outside the cluster. */
  google: ObjectChange[];
  /** The warning that everybody on the Internet can use Milvus without authentication. */
  openDoor: string | undefined;
}

/**
 * Decides what a deployment will do. Pure: the same settings and observations give the same plan.
 *
 * @param release the plan for the release
 * @param rendered what Helm would make of it; undefined when there is no upgrade
 * @param files the user's own objects
 * @throws ActionError when the release, as it is, can't be put behind the load balancer
 */
export function makePlan(
  settings: Settings,
  observed: Observed,
  release: ReleasePlan,
  rendered: Rendered | undefined,
  files: readonly FileManifest[],
): Plan {
  const next = nextUpgrade(release);
  const change = next && rendered && planRendered(settings, observed, next, rendered);
  const leaving = leavingIngress(observed, change);
  const remaining = leaving ? withoutIngress(observed, leaving) : observed;
  const loadBalancer = planLoadBalancer(settings, remaining, release.port);
  refuseOwnObjects(files, loadBalancer.manifests);
  return {
    release,
    rendered: change,
    loadBalancer,
    leavingIngress: leaving,
    files,
    clientPolicy: policyActionOf(settings, observed.google),
    awaitedPods:
      change && !observed.ingress
        ? awaitedPods(
            [...parseManifest(change.manifest).values()],
            observed.workloads,
            observed.service.metadata.name,
            change,
            loadBalancer,
            files.length > 0,
          )
        : undefined,
    google: googleChanges(settings, observed.google),
    openDoor: openDoorOf(settings, observed),
  };
}
