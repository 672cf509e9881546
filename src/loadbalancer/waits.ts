import { BlockList, isIPv6 } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { warning } from "@actions/core";
import * as v from "valibot";
import { formatDuration } from "../base/duration.ts";
import { ActionError, messageOf } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { withProgress } from "../base/progress.ts";
import type { Ingress } from "../kubernetes/objects.ts";
import { type Complaint, diagnose, isTelling, LASTING_MS, lastingCause } from "./diagnosis.ts";
import { INGRESS_CLASS } from "./manifests.ts";
import { type Presented, presents } from "./references.ts";
import type { LoadBalancerSettings } from "./settings.ts";
import { type LoadBalancerState, type LoadBalancerWatch, vanished } from "./watch.ts";

const HTTP_RULE = "ingress.kubernetes.io/forwarding-rule";
/** Names the address that the controller has made static for HTTP and HTTPS, which stays when either goes. */
const PROMOTED = "ingress.kubernetes.io/static-ip";
const HTTPS_RULE = "ingress.kubernetes.io/https-forwarding-rule";
const BACKENDS = "ingress.kubernetes.io/backends";
const NEG_STATUS = "cloud.google.com/neg-status";

/** No load balancer has an external address of these (RFC 1918); an internal one may have any, in networks that use public ones. */
const PRIVATE = blockList(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]);

/** Health by backend name: HEALTHY, UNHEALTHY or Unknown. */
export type Backends = Record<string, string>;

/** Times between nudges, in milliseconds: the controller reads the backends' health only when it looks at the Ingress. */
const NUDGES_MS = [1000, 2000, 4000, 8000, 15_000, 30_000];

/** The load balancer whose address is waited for. */
export interface AddressWanted extends Pick<LoadBalancerSettings, "loadBalancer" | "allowHttp"> {
  /** The only address that will do. */
  reserved: string | undefined;
  /** One that won't do: that of the load balancer before it becomes an internal or an external one. */
  former: string | undefined;
}

/**
 * Waits for the load balancer's address and returns it.
 *
 * @param limit milliseconds
 * @throws ActionError with the controller's own words and the remedy as soon as something lasting is in the way
 */
export async function waitForAddress(
  watch: LoadBalancerWatch,
  wanted: AddressWanted,
  limit: number,
  signal: AbortSignal,
): Promise<string> {
  const { namespace, ingress } = watch.names;
  const what = wanted.reserved === undefined ? "address" : `address ${wanted.reserved}`;
  const describe = () => {
    const { ingress } = watch.state;
    const other = ingress.state === "present" ? addressOf(ingress.object) : undefined;
    return `${other ? `its status says ${other} so far; ` : ""}${lastWords(watch.state)}`;
  };
  const nudging = nudgeAboutCauses(watch, limit);
  try {
    return await waitFor(
      watch,
      () => `waiting for the ${what} of Ingress ${namespace}/${ingress}; ${describe()}`,
      ({ ingress }) => (ingress.state === "present" ? addressDue(ingress.object, wanted) : undefined),
      {
        limit,
        signal,
        onLimit: () =>
          new ActionError(`Ingress ${namespace}/${ingress} has no ${what} after ${formatDuration(limit)}.`, {
            why: describe(),
            fix: silent(watch.state)
              ? "no controller has said a word: check that the cluster's HTTP load balancing add-on is on and VPC-native networking is used."
              : "mend what the controller complains of, or raise address_timeout when it only needs more time.",
          }),
      },
    );
  } finally {
    nudging.stop();
  }
}

/**
 * Waits until the load balancer has its HTTPS front and Milvus's backend is healthy; returns all backends' health.
 *
 * @param presented the certificates that the front must have
 * @param limit milliseconds
 * @throws ActionError as {@link waitForAddress}
 */
export async function waitForBackends(
  watch: LoadBalancerWatch,
  presented: Presented,
  limit: number,
  signal: AbortSignal,
): Promise<Backends> {
  const { namespace, ingress, service } = watch.names;
  const isPresented = ({ ingress }: LoadBalancerState) =>
    ingress.state === "present" && presents(ingress.object, presented);
  const describe = () => {
    const { https, backends, milvus } = healthOf(watch.state);
    if (!https) return `no HTTPS frontend yet; ${lastWords(watch.state)}`;
    if (!isPresented(watch.state)) return `the frontend has another certificate; ${lastWords(watch.state)}`;
    const health = milvus
      ? `backend ${milvus} is ${backends[milvus] ?? "not known yet"}`
      : "no network endpoint group yet";
    return `${health}; ${lastWords(watch.state)}`;
  };
  const nudging = nudgeUntilStopped(watch);
  try {
    return await waitFor(
      watch,
      () => `waiting for healthy backends of Ingress ${namespace}/${ingress}: ${describe()}`,
      (state) => {
        const { https, backends, milvus } = healthOf(state);
        const isReady = https && milvus && backends[milvus] === "HEALTHY" && isPresented(state);
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
              fix: `check that the pods behind Service ${namespace}/${service} answer HTTP /healthz on port 9091 and that a firewall rule admits Google's health checks (130.211.0.0/22, 35.191.0.0/16); raise backends_timeout when they only need more time.`,
            },
          ),
      },
    );
  } finally {
    nudging.stop();
  }
}

/** Waits until `look` finds what it looks for, or something lost or lasting is in its way. */
function waitFor<T>(
  watch: LoadBalancerWatch,
  describe: () => string,
  look: (state: LoadBalancerState) => T | undefined,
  options: Parameters<LoadBalancerWatch["until"]>[1],
): Promise<T> {
  const check = (state: LoadBalancerState) => {
    refuseLosses(watch, state);
    const found = look(state);
    if (found === undefined) refuseLastingCause(watch, state);
    return found;
  };
  return withProgress(describe, () => watch.until(check, options));
}

/** Tells whether an Ingress's load balancer becomes an internal one, or an external one: it is made anew. */
export function changesScheme(
  ingress: Ingress | undefined,
  loadBalancer: LoadBalancerSettings["loadBalancer"],
): boolean {
  if (ingress === undefined) return false;
  const isInternal = ingress.metadata.annotations[INGRESS_CLASS] === "gce-internal";
  return isInternal !== (loadBalancer === "internal");
}

/**
 * Returns the Ingress's address. One without the controller's finalizer is left over from a load balancer that is
 * gone: the controller doesn't clear the status of an Ingress that has left its class.
 */
export function addressOf(ingress: Ingress): string | undefined {
  if (!ingress.metadata.finalizers.some((name) => name.startsWith("networking.gke.io/ingress-finalizer")))
    return undefined;
  return ingress.status?.loadBalancer?.ingress.find(({ ip }) => ip)?.ip;
}

/**
 * Returns which address is to be waited for.
 *
 * @param ingress as it was before this run has changed it
 * @param reserved the only address that will do, if there is one
 */
export function addressWanted(
  ingress: Ingress | undefined,
  { loadBalancer, allowHttp }: Pick<LoadBalancerSettings, "loadBalancer" | "allowHttp">,
  reserved: string | undefined,
): AddressWanted {
  const former = ingress && changesScheme(ingress, loadBalancer) ? addressOf(ingress) : undefined;
  return { loadBalancer, allowHttp, reserved, former };
}

/**
 * Returns the address of the load balancer that is wanted; undefined while the Ingress shows the one that it was before.
 * The controller writes the status, and then the annotation with the HTTP rule, once it has made or removed that rule: with
 * a new one the load balancer moves to another address unless it has a reserved one (kubernetes/ingress-gce,
 * pkg/controller updateIngressStatus, pkg/loadbalancers checkStaticIP).
 */
export function addressDue(ingress: Ingress, wanted: AddressWanted): string | undefined {
  const { loadBalancer, allowHttp, reserved, former } = wanted;
  const address = addressOf(ingress);
  const hasHttp = ingress.metadata.annotations[HTTP_RULE] !== undefined;
  if (address === undefined || hasHttp !== allowHttp) return undefined;
  const isDue =
    reserved === undefined ? address !== former && canHave(loadBalancer, address) : address === reserved;
  return isDue ? address : undefined;
}

/**
 * Tells whether the load balancer that an Ingress has gets another address: one that becomes an internal or an external one
 * is made anew; one that is to serve HTTP for the first time gets the HTTP rule's, unless it has a reserved address.
 */
export function willMove(
  ingress: Ingress,
  {
    loadBalancer,
    allowHttp,
    staticIpName,
  }: Pick<LoadBalancerSettings, "loadBalancer" | "allowHttp" | "staticIpName">,
): boolean {
  const { [HTTP_RULE]: httpRule, [PROMOTED]: promoted } = ingress.metadata.annotations;
  const isFirstHttp = allowHttp && httpRule === undefined && promoted === undefined;
  return changesScheme(ingress, loadBalancer) || (isFirstHttp && staticIpName === undefined);
}

function canHave(loadBalancer: AddressWanted["loadBalancer"], address: string): boolean {
  return loadBalancer === "internal" || isIPv6(address) || !PRIVATE.check(address);
}

/** Returns the backends' health as the Ingress shows it; `milvus` names the network endpoint group of our Service. */
export function healthOf(state: LoadBalancerState): {
  https: boolean;
  backends: Backends;
  milvus: string | undefined;
} {
  const annotations = state.ingress.state === "present" ? state.ingress.object.metadata.annotations : {};
  const backends = parseJson(v.record(v.string(), v.string()), annotations[BACKENDS]) ?? {};
  const service = state.service.state === "present" ? state.service.object.metadata.annotations : {};
  const status = parseJson(
    v.looseObject({ network_endpoint_groups: v.record(v.string(), v.string()) }),
    service[NEG_STATUS],
  );
  const groups = Object.values(status?.network_endpoint_groups ?? {});
  return {
    https: annotations[HTTPS_RULE] !== undefined,
    backends,
    milvus: groups.find((name) => name in backends) ?? groups[0],
  };
}

/**
 * Refuses to wait on when something that is needed was deleted.
 *
 * @throws ActionError naming it
 */
export function refuseLosses(watch: LoadBalancerWatch, state: LoadBalancerState): void {
  const { ingress, service, tlsSecret, managedCertificate } = state;
  const { names } = watch;
  if (ingress.state === "deleted") throw vanished("Ingress", names.namespace, names.ingress);
  if (service.state === "deleted") throw vanished("Service", names.namespace, names.service);
  if (tlsSecret.state === "deleted") throw vanished("Secret", names.namespace, names.tlsSecret ?? "");
  if (managedCertificate.state === "deleted") {
    throw vanished("ManagedCertificate", names.namespace, names.managedCertificate ?? "");
  }
}

/**
 * Refuses to wait on when a controller has complained for some time of what only someone can mend.
 *
 * @throws ActionError with its words and the remedy
 */
export function refuseLastingCause(watch: LoadBalancerWatch, state: LoadBalancerState): void {
  const lasting = lastingCause(state.complaints);
  if (!lasting) return;
  const { namespace, ingress } = watch.names;
  throw new ActionError(
    `The load balancer of Ingress ${namespace}/${ingress} can't be made: ${lasting.diagnosis.cause}`,
    {
      why: `${lasting.complaint.message} (repeated for more than ${LASTING_MS / 1000}s)`,
      fix: lasting.diagnosis.remedy,
    },
  );
}

function silent(state: LoadBalancerState): boolean {
  return state.complaints.length === 0 && state.earlierWarning === undefined;
}

function lastWords({ complaints, earlierWarning }: LoadBalancerState): string {
  const newest = complaints.findLast(({ message }) => isTelling(message));
  if (newest) return `the controller's last Warning: ${newest.message}`;
  if (complaints.length > 0) return "the controller is at work, without a telling Warning";
  if (earlierWarning) return `no new events; the last Warning before this run was: ${earlierWarning}`;
  return "no Warning so far";
}

/** Nudges at growing intervals until stopped. */
function nudgeUntilStopped(watch: LoadBalancerWatch): Nudging {
  return startNudging(watch, async (signal, nudge) => {
    for (let attempt = 0; ; attempt += 1) {
      await delay(NUDGES_MS[Math.min(attempt, NUDGES_MS.length - 1)], undefined, { signal });
      await nudge();
    }
  });
}

/**
 * Nudges once about each cause that only someone can mend, when it has lasted if it is reported again, until stopped. An
 * Ingress that has failed often is tried again by itself after up to a quarter of an hour (kubernetes/ingress-gce,
 * pkg/utils/taskqueue.go: a change of it doesn't make the controller forget how often).
 *
 * @param limit milliseconds
 */
function nudgeAboutCauses(watch: LoadBalancerWatch, limit: number): Nudging {
  return startNudging(watch, async (signal, nudge) => {
    let newest = 0;
    const isNew = ({ message, firstSeen }: Complaint) => firstSeen > newest && diagnose(message);
    const look = ({ complaints }: LoadBalancerState) => complaints.slice(-1).find(isNew)?.firstSeen;
    for (;;) {
      newest = await watch.until(look, { limit, onLimit: () => new Error("the wait is over"), signal });
      await delay(LASTING_MS, undefined, { signal });
      await nudge();
    }
  });
}

interface Nudging {
  stop(): void;
}

function startNudging(
  watch: LoadBalancerWatch,
  work: (signal: AbortSignal, nudge: () => Promise<void>) => Promise<never>,
): Nudging {
  const stopped = new AbortController();
  // A nudge that fails costs time only: the controller looks by itself every ten minutes.
  const nudge = () => watch.nudge().catch((error: unknown) => warning(messageOf(error)));
  work(stopped.signal, nudge).catch(() => {});
  return { stop: () => stopped.abort() };
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = "", prefix] = range.split("/");
    list.addSubnet(network, Number(prefix));
  }
  return list;
}
