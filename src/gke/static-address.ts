import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import { ActionError } from "../base/errors.ts";
import { type Address, type Scope, SHARED } from "./compute-resources.ts";

/**
 * Lengths of the parts of a load balancer's name (kubernetes/ingress-gce, pkg/utils/namer/frontendnamer.go).
 */
const LABELS_LENGTH = 36;
const HASH_LENGTH = 8;

/** The result of looking a static address up. */
export interface FoundAddress {
  address: Address | undefined;
  /** Another scope that has an address of this name, if the needed scope has none. */
  elsewhere: Scope | undefined;
}

/** The Ingress that will use a static address. */
export interface AddressUse {
  projectId: string;
  /** `global` for an external load balancer, the cluster's region for an internal one. */
  scope: Scope;
  namespace: string;
  ingress: string;
  /** Whether HTTP is served beside HTTPS. */
  allowHttp: boolean;
  /** The annotations of the live Ingress; undefined if it doesn't exist yet. */
  annotations: Record<string, string> | undefined;
  /** UID of the namespace kube-system, which identifies the cluster; undefined if unknown. */
  clusterUid: string | undefined;
}

/**
 * Returns the error for a static address that the load balancer can't use. The ingress controller would
 * report it only after everything else is done.
 *
 * @returns undefined if the address is free, or this Ingress uses it
 */
export function problemOfAddress(
  name: string,
  { address, elsewhere }: FoundAddress,
  use: AddressUse,
): ActionError | undefined {
  const internal = use.scope !== "global";
  const needed = internal
    ? `an internal load balancer needs an internal IPv4 address of the region ${regionName(use.scope)}`
    : "an external load balancer needs a global external IPv4 address";
  const fix = `set static_ip_name to one that is, or create_static_ip: true with a new name (\`gcloud compute addresses list --project=${use.projectId}\`).`;
  if (!address && elsewhere) {
    const actual = elsewhere === "global" ? "global" : `in the region ${regionName(elsewhere)}`;
    return new ActionError(`The static address ${name} is ${actual}: ${needed}.`, { fix });
  }
  if (!address) {
    return new ActionError(`There is no static address ${name} in the project ${use.projectId}: ${needed}.`, {
      fix: "check static_ip_name, or set create_static_ip: true to have it reserved.",
    });
  }
  if (address.addressType !== (internal ? "INTERNAL" : "EXTERNAL") || isIPv6(address.address)) {
    return new ActionError(`The static address ${name} can't be used: ${needed}.`, {
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
      fix: "set static_ip_name to a free address, or delete what uses this one. After an Ingress is deleted it may take some minutes until its address is free.",
    });
  }
  return undefined;
}

/**
 * Tells whether a forwarding rule belongs to the Ingress. While its load balancer is being created, the
 * Ingress names no rule, so the rule's name decides. If the cluster is unknown, an Ingress of the same name
 * and namespace in another cluster of the project also matches.
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

/** Returns the common part of the names of the HTTP and the HTTPS rule, in both of GKE's naming schemes. */
function loadBalancerOf(forwardingRule: string): string {
  return forwardingRule.replace(/^k8s(2-fr|2-fs|-fw|-fws)-/, "");
}

/**
 * Returns the part of a load balancer's name for namespace and Ingress, shortened as in
 * pkg/utils/namer/utils.go.
 */
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

function regionName(scope: Scope): string {
  return scope.replace("regions/", "");
}
