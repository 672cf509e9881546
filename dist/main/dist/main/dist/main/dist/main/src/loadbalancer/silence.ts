import type { Symptom } from "../base/symptom.ts";
import type { Ingress } from "../kubernetes/objects.ts";
import { INGRESS_CLASS } from "./manifests.ts";

const SOURCE = "the Ingress's class and finalizers";

/** Something has made the Ingress another controller's. */
export const OTHER_CLASS: Symptom = {
  id: "other-ingress-class",
  title: "the Ingress's class is ...: Google's controller leaves it alone",
  verdict: "lasting",
  cause: "something has changed the Ingress's class, an admission webhook or another pipeline.",
  remedy: `find out what changes the annotation ${INGRESS_CLASS} or spec.ingressClassName of the Ingress (\`kubectl get ingress -o yaml --show-managed-fields\`) and run again.`,
  source: SOURCE,
};
/** The controller puts its finalizer on an Ingress before it does anything for it. */
const NO_CONTROLLER: Symptom = {
  id: "no-ingress-controller",
  title: "no controller has taken the Ingress on",
  verdict: "lasting",
  cause: "the HTTP load balancing add-on is off, or the cluster's control plane is restarting.",
  remedy:
    "check that the cluster's HTTP load balancing add-on is on (`gcloud container clusters update CLUSTER --update-addons=HttpLoadBalancing=ENABLED`) and that the cluster is VPC-native.",
  source: SOURCE,
};
const SLOW_CONTROLLER: Symptom = {
  id: "no-address-yet",
  title: "the controller has taken the Ingress on and reports no problem",
  verdict: "passing",
  cause: "Google is making the load balancer, which takes minutes.",
  remedy: "run again, which goes on waiting, or raise address_timeout.",
  source: SOURCE,
};

/** What it means that an Ingress gets no address and no Warning. */
export const ADDRESS_SILENCE: readonly Symptom[] = [OTHER_CLASS, NO_CONTROLLER, SLOW_CONTROLLER];

/** Returns the class of an Ingress if it isn't the wanted one, `(none)` for none. */
export function otherClassOf({ metadata, spec }: Ingress, wanted: string): string | undefined {
  const name = metadata.annotations[INGRESS_CLASS];
  return name === wanted ? undefined : (name ?? spec.ingressClassName ?? "(none)");
}

/**
 * Returns why an Ingress has no address where no controller has warned, with a sentence without its dot.
 *
 * @param wanted the class that makes it the Ingress of Google's controller
 */
export function silenceAbout(ingress: Ingress, wanted: string): { symptom: Symptom; text: string } {
  const other = otherClassOf(ingress, wanted);
  if (other !== undefined) {
    return {
      symptom: OTHER_CLASS,
      text: `the Ingress's class is ${other}: Google's controller leaves it alone`,
    };
  }
  const { finalizers } = ingress.metadata;
  const isTaken = finalizers.some((finalizer) => finalizer.startsWith("networking.gke.io/"));
  const symptom = isTaken ? SLOW_CONTROLLER : NO_CONTROLLER;
  return { symptom, text: symptom.title };
}
