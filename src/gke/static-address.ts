import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import { ActionError } from "../base/errors.ts";
import { type Address, type Scope, SHARED } from "./compute-resources.ts";

/** Parts of a load balancer's name, in characters (kubernetes/ingress-gce, pkg/utils/namer/frontendnamer.go). */
const LABELS_LENGTH = 36;
const HASH_LENGTH = 8;

/** What was found of a static address. */
export interface FoundAddress {
  address: Address | undefined;
  /** Where there is one of this name when there is none where it is needed. */
  elsewhere: Scope | undefined;
}

/** What a static address is to be used for. */
export interface AddressUse {
  projectId: string;
  /** `global` for an external load balancer, the cluster's region for an internal one. */
  scope: Scope;
  namespace: string;
  ingress: string;
  /** Whether HTTP is served beside HTTPS. */
  allowHttp: boolean;
  /** The annotations of the Ingress as it is in the cluster; undefined when there is none yet. */
  annotations: Record<string, string> | undefined;
  /** UID of the namespace kube-system, which tells clusters apart; undefined when it isn't known. */
  clusterUid: string | undefined;
}

/**
 * Returns the error for a static address that a load balancer can't have: the ingress controller would report it
 * only once everything else is done.
 *
 * @returns undefined when it is fine: free, or used by this very Ingress
 */
export function problemOfAddress(
  name: string,
  { address, elsewhere }: FoundAddress,
  use: AddressUse,
): ActionError | undefined {
  const internal = use.scope !== "global";
  const needed = internal
    ? `an internal load balancer needs an internal IPv4 address of the region ${regionOf(use.scope)}`
    : "an external load balancer needs a global external IPv4 address";
  const fix = `set static_ip_name to one that is, or create_static_ip: true with a new name (\`gcloud compute addresses list --project=${use.projectId}\`).`;
  if (!address && elsewhere) {
    const actual = elsewhere === "global" ? "global" : `in the region ${regionOf(elsewhere)}`;
    return new ActionError(`The static address ${name} is ${actual}: ${needed}.`, { fix });
  }
  if (!address) {
    return new ActionError(`There is no static address ${name} in the project ${use.projectId}: ${needed}.`, {
      fix: "check static_ip_name, or set create_static_ip: true to have it reserved.",
    });
  }
  if (address.addressType !== (internal ? "INTERNAL" : "EXTERNAL") || isIPv6(address.address)) {
    return new ActionError(`The static address ${name} won't do: ${needed}.`, {
      why: `it is ${address.address}, addressType ${address.addressType}.`,
      fix,
    });
  }
  if (internal && use.allowHttp && address.purpose !== SHARED) {
    return new ActionError(`The static address ${name} can't serve both HTTP and HTTPS.`, {
      why: `its purpose is ${address.purpose ?? "not set"}, not ${SHARED}.`,
      fix: `set allow_http: false, or static_ip_name to an address with --purpose=${SHARED}.`,
    });
  }
  const others = address.users.filter((user) => !isOwn(user.split("/").at(-1) ?? "", use));
  if (others.length > 0) {
    return new ActionError(`The static address ${name} (${address.address}) is used by something else.`, {
      why: `its users: ${others.map((user) => user.replace(/^.*\/projects\//, "projects/")).join(", ")}.`,
      fix: "set static_ip_name to an address that is free, or delete what uses this one; an Ingress that was deleted may need some minutes to let go of it.",
    });
  }
  return undefined;
}

/**
 * Tells the forwarding rules of an Ingress, which names none of them yet while its load balancer comes up. Where the
 * cluster isn't known, one of an Ingress of that name and namespace in another cluster of the project counts too.
 */
function isOwn(forwardingRule: string, { namespace, ingress, annotations, clusterUid }: AddressUse): boolean {
  if (!annotations) return false;
  const {
    "ingress.kubernetes.io/forwarding-rule": http,
    "ingress.kubernetes.io/https-forwarding-rule": https,
  } = annotations;
  const named = https ?? http;
  const loadBalancer = loadBalancerOf(forwardingRule);
  if (named) return loadBalancer === loadBalancerOf(named);
  const labels = labelsOf(namespace, ingress);
  if (clusterUid === undefined) return loadBalancer.slice(HASH_LENGTH + 1, -HASH_LENGTH - 1) === labels;
  const hash = contentHash(`${clusterUid};${namespace};${ingress}`);
  return loadBalancer === `${contentHash(clusterUid)}-${labels}-${hash}`;
}

/** Returns what a load balancer's rules for HTTP and for HTTPS have in common, in both of GKE's naming schemes. */
function loadBalancerOf(forwardingRule: string): string {
  return forwardingRule.replace(/^k8s(2-fr|2-fs|-fw|-fws)-/, "");
}

/** Returns what a load balancer's name has of namespace and Ingress, the longer one cut more (pkg/utils/namer/utils.go). */
function labelsOf(namespace: string, ingress: string): string {
  const total = namespace.length + ingress.length;
  if (total <= LABELS_LENGTH) return `${namespace}-${ingress}`;
  const rest = Math.floor((ingress.length * LABELS_LENGTH) / total);
  return `${namespace.slice(0, LABELS_LENGTH - rest)}-${ingress.slice(0, rest)}`;
}

function contentHash(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, HASH_LENGTH);
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join("");
}

function regionOf(scope: Scope): string {
  return scope.replace("regions/", "");
}
