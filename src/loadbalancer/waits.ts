import { formatDuration } from "../base/duration.ts";
import { ActionError } from "../base/errors.ts";
import { withProgress } from "../base/progress.ts";
import type { Ingress } from "../kubernetes/objects.ts";
import { type AddressRequirement, addressOf, matchingAddress } from "./address.ts";
import { type BackendHealth, healthOf } from "./health.ts";
import { nudgeAfterCauses, nudgeRegularly } from "./nudging.ts";
import { describeWarnings, hasNoWarning, refuseDeletedObjects, refuseLastingCause } from "./obstacles.ts";
import { presents, type RequiredCertificates } from "./references.ts";
import type { LoadBalancerState, LoadBalancerWatch } from "./watch.ts";

/** After this time backends count as unhealthy for a reason, in milliseconds. Usually they are healthy sooner. */
const SUSPICION_MS = 120_000;

/**
 * Waits for the load balancer's address and returns it.
 *
 * @param limit milliseconds
 * @throws ActionError with the controller's text and the remedy as soon as a cause lasts, when a needed
 *   object was deleted, or at the limit
 */
export async function waitForAddress(
  watch: LoadBalancerWatch,
  requirement: AddressRequirement,
  limit: number,
  signal: AbortSignal,
): Promise<string> {
  const { namespace, ingress } = watch.names;
  const what = requirement.reserved === undefined ? "address" : `address ${requirement.reserved}`;
  const describe = () => {
    const { ingress } = watch.state;
    const other = ingress.state === "present" ? addressOf(ingress.object) : undefined;
    return `${other ? `its status says ${other} so far; ` : ""}${describeWarnings(watch.state)}`;
  };
  const nudging = nudgeAfterCauses(watch, limit);
  try {
    return await waitFor(
      watch,
      () => `waiting for the ${what} of Ingress ${namespace}/${ingress}; ${describe()}`,
      ({ ingress }) =>
        ingress.state === "present" ? matchingAddress(ingress.object, requirement) : undefined,
      {
        limit,
        signal,
        onLimit: () =>
          new ActionError(`Ingress ${namespace}/${ingress} has no ${what} after ${formatDuration(limit)}.`, {
            why: describe(),
            fix: hasNoWarning(watch.state)
              ? "no controller has reported anything: check that the cluster is VPC-native and that its HTTP load balancing add-on is on."
              : "fix what the controller's Warning names. If it only needs more time, raise address_timeout.",
          }),
      },
    );
  } finally {
    nudging.stop();
  }
}

/**
 * Waits until the HTTPS frontend exists and presents the certificates, and Milvus's backend is healthy.
 * Returns the health of all backends.
 *
 * @param certificates those that the frontend must have
 * @param findObstacles returns what stands between the load balancer and Milvus; called once, if the wait is long
 * @param limit milliseconds
 * @throws ActionError as {@link waitForAddress}
 */
export async function waitForBackends(
  watch: LoadBalancerWatch,
  certificates: RequiredCertificates,
  findObstacles: () => Promise<string[]>,
  limit: number,
  signal: AbortSignal,
): Promise<BackendHealth> {
  const { namespace, ingress, service } = watch.names;
  const hasCertificates = ({ ingress }: LoadBalancerState) =>
    ingress.state === "present" && presents(ingress.object, certificates);
  const describe = () => {
    const { https, backends, milvus } = healthOf(watch.state);
    const warnings = describeWarnings(watch.state);
    if (!https) return `no HTTPS frontend yet; ${warnings}`;
    if (!hasCertificates(watch.state)) {
      return `the HTTPS frontend still has another certificate; ${warnings}`;
    }
    const health = milvus
      ? `backend ${milvus} is ${backends[milvus] ?? "not known yet"}`
      : "no network endpoint group yet";
    return [health, warnings, ...obstacles].join("; ");
  };
  const nudging = nudgeRegularly(watch);
  let obstacles: string[] = [];
  const suspicion = setTimeout(
    async () => {
      obstacles = await findObstacles();
    },
    Math.min(SUSPICION_MS, limit / 2),
  );
  try {
    return await waitFor(
      watch,
      () => `waiting for healthy backends of Ingress ${namespace}/${ingress}: ${describe()}`,
      (state) => {
        const { https, backends, milvus } = healthOf(state);
        const isReady = https && milvus && backends[milvus] === "HEALTHY" && hasCertificates(state);
        return isReady ? backends : undefined;
      },
      {
        limit,
        signal,
        onLimit: () =>
          new ActionError(
            `The load balancer of Ingress ${namespace}/${ingress} has no healthy backend after ${formatDuration(limit)}.`,
            {
              why: [describe(), watch.state.firewallAdvice].filter(Boolean).join("; "),
              fix: `check that the pods behind Service ${namespace}/${service} answer HTTP /healthz on port 9091, and that a firewall rule admits Google's health checks (130.211.0.0/22, 35.191.0.0/16). If they only need more time, raise backends_timeout.`,
            },
          ),
      },
    );
  } finally {
    nudging.stop();
    clearTimeout(suspicion);
  }
}

/**
 * Waits until an Ingress that is being deleted is gone. Google's controller holds it with a finalizer until its load
 * balancer is gone too.
 *
 * @param limit milliseconds
 * @throws ActionError naming what holds the Ingress, at the limit
 */
export async function waitUntilGone(
  watch: LoadBalancerWatch,
  { metadata: { uid } }: Ingress,
  limit: number,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, ingress: name } = watch.names;
  const title = `Ingress ${namespace}/${name}`;
  const isThere = ({ ingress }: LoadBalancerState) =>
    ingress.state === "present" && ingress.object.metadata.uid === uid;
  const holders = () => {
    const { ingress } = watch.state;
    const finalizers = ingress.state === "present" ? ingress.object.metadata.finalizers : [];
    return `finalizers: ${finalizers.join(", ") || "none"}; ${describeWarnings(watch.state)}`;
  };
  await withProgress(
    () => `waiting until ${title} is gone, and Google's load balancer with it (${holders()})`,
    () =>
      watch.until((state) => (isThere(state) ? undefined : true), {
        limit,
        signal,
        onLimit: () =>
          new ActionError(`${title} is still there ${formatDuration(limit)} after it was deleted.`, {
            why: `${holders()}.`,
            fix: "see its events (`kubectl describe ingress`) for what holds it, then run again: the deletion goes on by itself. If it only needs more time, raise address_timeout.",
          }),
      }),
  );
  watch.forgetIngress();
}

/** Waits until `look` returns something. A deleted object or a lasting cause ends the wait early. */
function waitFor<T>(
  watch: LoadBalancerWatch,
  describe: () => string,
  look: (state: LoadBalancerState) => T | undefined,
  options: Parameters<LoadBalancerWatch["until"]>[1],
): Promise<T> {
  const check = (state: LoadBalancerState) => {
    refuseDeletedObjects(watch, state);
    const found = look(state);
    if (found === undefined) refuseLastingCause(watch, state);
    return found;
  };
  return withProgress(describe, () => watch.until(check, options));
}
