import { formatDuration } from "../base/duration.ts";
import { ActionError } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { withProgress } from "../base/progress.ts";
import type { Symptom } from "../base/symptom.ts";
import type { Ingress } from "../kubernetes/objects.ts";
import { type AddressRequirement, addressOf, matchingAddress } from "./address.ts";
import { BACKEND_SYMPTOMS } from "./backend-symptoms.ts";
import { type BackendHealth, healthOf } from "./health.ts";
import { type Inspect, inspectRegularly } from "./inspection.ts";
import { nudgeAfterCauses, nudgeRegularly } from "./nudging.ts";
import { presents, type RequiredCertificates } from "./presented-certificates.ts";
import {
  describeWarnings,
  isSilent,
  newestKnown,
  refuseLastingCause,
  refuseLostObjects,
  refuseOtherCertificate,
} from "./reasons-to-stop.ts";
import { silenceAbout } from "./silence.ts";
import { isHealthy, type Obstacle } from "./traffic-obstacles.ts";
import type { LoadBalancerState, LoadBalancerWatch } from "./watch.ts";

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
  { secretHash }: Pick<RequiredCertificates, "secretHash">,
  limit: number,
  signal: AbortSignal,
): Promise<string> {
  const { namespace, ingress, ingressClass } = watch.names;
  const what = requirement.reserved === undefined ? "address" : `address ${requirement.reserved}`;
  const silence = () => {
    const { ingress } = watch.state;
    return ingress.state === "present" && isSilent(watch.state)
      ? silenceAbout(ingress.object, ingressClass)
      : undefined;
  };
  const describe = () => {
    const { ingress } = watch.state;
    const other = ingress.state === "present" ? addressOf(ingress.object) : undefined;
    const silent = silence();
    const why = silent?.symptom.verdict === "lasting" ? silent.text : describeWarnings(watch.state);
    return `${other ? `its status says ${other} so far; ` : ""}${why}`;
  };
  const nudging = nudgeAfterCauses(watch, limit);
  try {
    return await waitFor(
      watch,
      () => `waiting for the ${what} of Ingress ${namespace}/${ingress}; ${describe()}`,
      (state) => {
        refuseOtherCertificate(watch, state, secretHash);
        const { ingress } = state;
        return ingress.state === "present" ? matchingAddress(ingress.object, requirement) : undefined;
      },
      {
        limit,
        signal,
        onLimit: () =>
          new ActionError(`Ingress ${namespace}/${ingress} has no ${what} after ${formatDuration(limit)}.`, {
            why: describe(),
            fix:
              silence()?.symptom.remedy ??
              "fix what the controller's Warning names. If it only needs more time, raise address_timeout.",
            symptom: silence()?.symptom.id ?? newestKnown(watch.state)?.id,
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
 * @param inspect looks at backends that stay unhealthy
 * @param limit milliseconds
 * @throws ActionError as {@link waitForAddress}
 */
export async function waitForBackends(
  watch: LoadBalancerWatch,
  certificates: RequiredCertificates,
  inspect: Inspect,
  limit: number,
  signal: AbortSignal,
): Promise<BackendHealth> {
  const { namespace, ingress } = watch.names;
  const hasCertificates = ({ ingress }: LoadBalancerState) =>
    ingress.state === "present" && presents(ingress.object, certificates);
  const missing = () => {
    if (!healthOf(watch.state).https) return BACKEND_SYMPTOMS.noHttps;
    return hasCertificates(watch.state) ? BACKEND_SYMPTOMS.unhealthy : BACKEND_SYMPTOMS.formerCertificate;
  };
  const describe = () => {
    const { backends, milvus } = healthOf(watch.state);
    const warnings = describeWarnings(watch.state);
    const frontend = missing();
    if (frontend !== BACKEND_SYMPTOMS.unhealthy) return `${frontend.title}; ${warnings}`;
    const health = milvus
      ? `backend ${milvus} is ${backends[milvus] ?? "not known yet"}`
      : "no network endpoint group yet";
    return [health, warnings, ...obstacles().map(({ text }) => text)].join("; ");
  };
  const nudging = nudgeRegularly(watch);
  const inspection = inspectRegularly(watch, inspect, limit);
  const obstacles = () => inspection.latest()?.obstacles ?? [];
  /** Who says that Milvus's backend is healthy. */
  const witness = (annotated: string | undefined) => {
    if (annotated === "HEALTHY") return "the Ingress's annotation";
    return inspection.latest()?.endpoints?.some(isHealthy) ? "Google's Compute Engine API" : undefined;
  };
  try {
    return await waitFor(
      watch,
      () => `waiting for healthy backends of Ingress ${namespace}/${ingress}: ${describe()}`,
      (state) => {
        refuseOtherCertificate(watch, state, certificates.secretHash);
        const { https, backends, milvus } = healthOf(state);
        const source = milvus && witness(backends[milvus]);
        if (!https || !source || !hasCertificates(state)) return undefined;
        info(`Backend ${milvus} is healthy, says ${source}.`);
        return { ...backends, [milvus]: "HEALTHY" };
      },
      {
        limit,
        signal,
        onLimit: () => tooLate(watch, missing(), obstacles(), describe(), limit),
      },
    );
  } finally {
    nudging.stop();
    inspection.stop();
  }
}

/** Returns the error for backends at the limit: what is in the way, where something was found. */
function tooLate(
  { names, state }: LoadBalancerWatch,
  missing: Symptom,
  obstacles: readonly Obstacle[],
  seen: string,
  limit: number,
): ActionError {
  const { namespace, ingress, service } = names;
  const title = `The load balancer of Ingress ${namespace}/${ingress}`;
  if (missing !== BACKEND_SYMPTOMS.unhealthy) {
    const what = `${title} isn't complete after ${formatDuration(limit)}.`;
    return new ActionError(what, { why: seen, fix: missing.remedy, symptom: missing.id });
  }
  const { firewallAdvice } = state;
  // The controller has told the missing firewall rule, so nobody need guess it.
  const found = firewallAdvice
    ? obstacles.filter(({ symptom }) => symptom !== BACKEND_SYMPTOMS.unhealthy)
    : obstacles;
  const named = found.flatMap(({ symptom, remedy }) =>
    symptom ? [{ id: symptom.id, remedy: remedy ?? symptom.remedy }] : [],
  );
  if (firewallAdvice) named.push(BACKEND_SYMPTOMS.sharedVpc);
  const general = `check that the pods behind Service ${namespace}/${service} answer HTTP /healthz on port 9091, and that a firewall rule admits Google's health checks (130.211.0.0/22, 35.191.0.0/16). If they only need more time, raise backends_timeout.`;
  return new ActionError(`${title} has no healthy backend after ${formatDuration(limit)}.`, {
    why: [seen, firewallAdvice].filter(Boolean).join("; "),
    fix: named.map(({ remedy }) => remedy).join(" Also: ") || general,
    symptom: (named[0] ?? missing).id,
  });
}

/**
 * Waits until an Ingress that is being deleted is gone. Google's controller holds it with a finalizer until
 * its load balancer is gone too.
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
    limit,
  );
  watch.forgetIngress();
}

/** Waits until `look` returns something. A lost object or a lasting cause ends the wait early. */
function waitFor<T>(
  watch: LoadBalancerWatch,
  describe: () => string,
  look: (state: LoadBalancerState) => T | undefined,
  options: Parameters<LoadBalancerWatch["until"]>[1],
): Promise<T> {
  const check = (state: LoadBalancerState) => {
    refuseLostObjects(watch, state);
    const found = look(state);
    if (found === undefined) refuseLastingCause(watch, state);
    return found;
  };
  return withProgress(describe, () => watch.until(check, options), options.limit);
}
