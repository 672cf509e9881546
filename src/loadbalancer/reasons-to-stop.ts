import { ActionError } from "../base/errors.ts";
import { symptomIn } from "../base/symptom.ts";
import type { ListedObject } from "../kubernetes/objects.ts";
import { isTelling, KNOWN_TEXTS, LASTING_MS, lastingCause } from "./diagnosis/diagnosis.ts";
import type { KnownText } from "./diagnosis/known-text.ts";
import { hashIn } from "./presented-certificates.ts";
import { OTHER_CLASS, otherClassOf } from "./silence.ts";
import type { LoadBalancerState, LoadBalancerWatch, WatchedObject } from "./watch.ts";

/** Longer than any step: the step itself has a limit. */
const NO_LIMIT_MS = 2 ** 31 - 1;

/**
 * Ends a wait when an object that it needs was deleted, or the Ingress became another controller's.
 *
 * @throws ActionError naming the object
 */
export function refuseLostObjects(watch: LoadBalancerWatch, state: LoadBalancerState): void {
  const lost = lostObject(watch, state);
  if (lost) throw lost;
}

/**
 * Runs `work`, which doesn't look at the load balancer's objects, and ends it when
 * one of them is lost meanwhile.
 *
 * @param work ends when its signal is aborted
 */
export async function whileNothingIsLost<T>(
  watch: LoadBalancerWatch,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  const done = new AbortController();
  const onLimit = () => new Error("the work takes too long");
  watch
    .until((state) => lostObject(watch, state), { limit: NO_LIMIT_MS, onLimit, signal: done.signal })
    .then(
      (error) => lost.abort(error),
      // The work needs no watch: it goes on without one.
      () => {},
    );
  try {
    return await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    done.abort();
  }
}

/**
 * Ends a wait for a certificate that somebody has replaced in its Secret. Google's
 * controller may have read either.
 *
 * @param hash {@link secretHashOf} of the certificate that is waited for; undefined if it is at Google
 * @throws ActionError naming the Secret
 */
export function refuseOtherCertificate(
  { names }: LoadBalancerWatch,
  { tlsSecret, secretHashes }: LoadBalancerState,
  hash: string | undefined,
): void {
  if (hash === undefined || tlsSecret.state !== "present" || !secretHashes.has(hash)) return;
  if (hashIn(tlsSecret.object) === hash) return;
  throw new ActionError(
    `Secret ${names.namespace}/${names.tlsSecret} was given another certificate by somebody else meanwhile.`,
    {
      why: "this run waits for the load balancer to present the certificate that the Secret had before.",
      fix: "run again: the next run checks and presents the certificate that the Secret has now.",
    },
  );
}

/** Returns the error for an object that was deleted, or an Ingress that became another controller's. */
function lostObject({ names }: LoadBalancerWatch, state: LoadBalancerState): ActionError | undefined {
  const { ingress, service, tlsSecret, managedCertificate } = state;
  const needed: [WatchedObject<ListedObject>, kind: string, name: string | undefined][] = [
    [ingress, "Ingress", names.ingress],
    [service, "Service", names.service],
    [tlsSecret, "Secret", names.tlsSecret],
    [managedCertificate, "ManagedCertificate", names.managedCertificate],
  ];
  const deleted = needed.find(([watched]) => isDeleted(watched));
  if (deleted) {
    const [, kind, name] = deleted;
    return new ActionError(
      `${kind} ${names.namespace}/${name} was deleted while this action waited for the load balancer.`,
      { fix: "find out what deletes it (another pipeline, a GitOps controller?) and run again." },
    );
  }
  const otherClass = ingress.state === "present" && otherClassOf(ingress.object, names.ingressClass);
  if (!otherClass || !state.hadClass) return undefined;
  return new ActionError(
    `The load balancer of Ingress ${names.namespace}/${names.ingress} can't be made: something has changed the Ingress's class.`,
    {
      why: `the class was ${names.ingressClass}, and is ${otherClass} now: Google's controller leaves the Ingress alone.`,
      fix: OTHER_CLASS.remedy,
      symptom: OTHER_CLASS.id,
    },
  );
}

/** Controllers hold an Ingress for minutes by a finalizer: what is going counts as gone. */
function isDeleted(watched: WatchedObject<ListedObject>): boolean {
  if (watched.state !== "present") return watched.state === "deleted";
  return watched.object.metadata.deletionTimestamp !== undefined;
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

/**
 * Tells whether no Warning of this run explains anything: perhaps no controller
 * looks after the load balancer.
 */
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
