import { ActionError } from "../base/errors.ts";
import { symptomIn } from "../base/symptom.ts";
import { isTelling, KNOWN_TEXTS, LASTING_MS, lastingCause } from "./diagnosis/diagnosis.ts";
import type { KnownText } from "./diagnosis/known-text.ts";
import { OTHER_CLASS, otherClassOf } from "./silence.ts";
import type { LoadBalancerState, LoadBalancerWatch } from "./watch.ts";

/**
 * Ends a wait when an object that it needs was deleted, or the Ingress became another controller's.
 *
 * @throws ActionError naming the object
 */
export function refuseLostObjects(watch: LoadBalancerWatch, state: LoadBalancerState): void {
  const { ingress, service, tlsSecret, managedCertificate } = state;
  const { names } = watch;
  if (ingress.state === "deleted") throw deletedWhileWaiting("Ingress", names.namespace, names.ingress);
  if (service.state === "deleted") throw deletedWhileWaiting("Service", names.namespace, names.service);
  if (tlsSecret.state === "deleted") {
    throw deletedWhileWaiting("Secret", names.namespace, names.tlsSecret ?? "");
  }
  if (managedCertificate.state === "deleted") {
    throw deletedWhileWaiting("ManagedCertificate", names.namespace, names.managedCertificate ?? "");
  }
  const otherClass = ingress.state === "present" && otherClassOf(ingress.object, names.ingressClass);
  if (otherClass && state.hadClass) {
    throw new ActionError(
      `The load balancer of Ingress ${names.namespace}/${names.ingress} can't be made: something has changed the Ingress's class.`,
      {
        why: `the class was ${names.ingressClass}, and is ${otherClass} now: Google's controller leaves the Ingress alone.`,
        fix: OTHER_CLASS.remedy,
        symptom: OTHER_CLASS.id,
      },
    );
  }
}

/**
 * Ends a wait when a controller keeps reporting a cause that waiting can't fix.
 *
 * @throws ActionError with the controller's text and the remedy
 */
export function refuseLastingCause(watch: LoadBalancerWatch, state: LoadBalancerState): void {
  const lasting = lastingCause(state.warnings);
  if (!lasting) return;
  const { namespace, ingress } = watch.names;
  throw new ActionError(
    `The load balancer of Ingress ${namespace}/${ingress} can't be made: ${lasting.diagnosis.cause}`,
    {
      why: `${lasting.warning.message} (repeated for more than ${LASTING_MS / 1000}s)`,
      fix: lasting.diagnosis.remedy,
      symptom: lasting.diagnosis.id,
    },
  );
}

/** Tells whether no Warning of this run explains anything: perhaps no controller looks after the load balancer. */
export function isSilent({ warnings }: LoadBalancerState): boolean {
  return !warnings.some(({ message }) => isTelling(message));
}

/** Returns what is known of the newest Warning that explains something. */
export function newestKnown({ warnings }: LoadBalancerState): KnownText | undefined {
  const newest = warnings.findLast(({ message }) => isTelling(message));
  return newest && symptomIn(newest.message, KNOWN_TEXTS);
}

/** Returns the newest Warning that explains something, for progress lines and errors. */
export function describeWarnings({ warnings, earlierWarning }: LoadBalancerState): string {
  const newest = warnings.findLast(({ message }) => isTelling(message));
  if (newest) return `the controller's last Warning: ${newest.message}`;
  if (warnings.length > 0) return "the controller is working and has reported no problem";
  if (earlierWarning) return `no new events; the last Warning before this run: ${earlierWarning}`;
  return "no Warning so far";
}

function deletedWhileWaiting(kind: string, namespace: string, name: string): ActionError {
  return new ActionError(
    `${kind} ${namespace}/${name} was deleted while this action waited for the load balancer.`,
    {
      fix: "find out what deletes it (another pipeline, a GitOps controller?) and run again.",
    },
  );
}
