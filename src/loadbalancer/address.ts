import { BlockList, isIPv6 } from "node:net";
import type { Ingress } from "../kubernetes/objects.ts";
import { INGRESS_CLASS } from "./manifests.ts";
import type { LoadBalancerSettings } from "./settings.ts";

/** GKE's controller names the HTTP forwarding rule here. */
const HTTP_RULE = "ingress.kubernetes.io/forwarding-rule";
/**
 * Names the address that the controller reserved so that HTTP and HTTPS share it. It outlives either rule.
 */
const CONTROLLER_ADDRESS = "ingress.kubernetes.io/static-ip";

/** RFC 1918. External load balancers never have these; internal ones may have any address. */
const PRIVATE = blockList(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]);

/** Which address the wait accepts. */
export interface AddressRequirement extends Pick<LoadBalancerSettings, "loadBalancer" | "allowHttp"> {
  /** The only address that is accepted, if set. */
  reserved: string | undefined;
  /**
   * The address from before a change between internal and external, or of another
   * controller. It is not accepted.
   */
  former: string | undefined;
}

/** Returns the address of the Ingress's load balancer. */
export function addressOf(ingress: Ingress): string | undefined {
  return isTaken(ingress) ? statusAddress(ingress) : undefined;
}

/**
 * Tells whether Google's controller looks after an Ingress. The status of another one is a leftover: the
 * controller doesn't clear it when an Ingress leaves its class.
 */
function isTaken({ metadata }: Ingress): boolean {
  return metadata.finalizers.some((name) => name.startsWith("networking.gke.io/ingress-finalizer"));
}

function statusAddress({ status }: Ingress): string | undefined {
  return status?.loadBalancer?.ingress.find(({ ip }) => ip)?.ip;
}

/**
 * Returns which address to wait for.
 *
 * @param ingress as it was before this run changed it
 * @param reserved the only address that is accepted, if there is one
 */
export function addressRequirement(
  ingress: Ingress | undefined,
  { loadBalancer, allowHttp }: Pick<LoadBalancerSettings, "loadBalancer" | "allowHttp">,
  reserved: string | undefined,
): AddressRequirement {
  // The controller's finalizer may come back before it writes the new address.
  const isFormer = ingress !== undefined && (!isTaken(ingress) || changesScheme(ingress, loadBalancer));
  const former = isFormer ? statusAddress(ingress) : undefined;
  return { loadBalancer, allowHttp, reserved, former };
}

/**
 * Returns the Ingress's address if it meets the requirement, undefined while the Ingress still shows an
 * earlier one.
 *
 * The controller makes or removes the HTTP rule, then writes the status, then the rule's annotation. A new
 * HTTP rule moves the load balancer to another address unless its address is reserved
 * (kubernetes/ingress-gce, pkg/controller updateIngressStatus, pkg/loadbalancers checkStaticIP).
 */
export function matchingAddress(ingress: Ingress, requirement: AddressRequirement): string | undefined {
  const { loadBalancer, allowHttp, reserved, former } = requirement;
  const address = addressOf(ingress);
  const hasHttp = ingress.metadata.annotations[HTTP_RULE] !== undefined;
  if (address === undefined || hasHttp !== allowHttp) return undefined;
  const matches =
    reserved === undefined ? address !== former && isPossible(loadBalancer, address) : address === reserved;
  return matches ? address : undefined;
}

/** Tells whether an Ingress changes between internal and external. Its load balancer is then recreated. */
export function changesScheme(
  ingress: Ingress | undefined,
  loadBalancer: LoadBalancerSettings["loadBalancer"],
): boolean {
  if (ingress === undefined) return false;
  const isInternal = ingress.metadata.annotations[INGRESS_CLASS] === "gce-internal";
  return isInternal !== (loadBalancer === "internal");
}

/**
 * Tells whether an Ingress's load balancer gets another address: when it changes between internal and
 * external, or when it gets its first HTTP rule and its address is not reserved.
 */
export function addressWillChange(
  ingress: Ingress,
  {
    loadBalancer,
    allowHttp,
    staticIpName,
  }: Pick<LoadBalancerSettings, "loadBalancer" | "allowHttp" | "staticIpName">,
): boolean {
  const { [HTTP_RULE]: httpRule, [CONTROLLER_ADDRESS]: controllerAddress } = ingress.metadata.annotations;
  const isFirstHttp = allowHttp && httpRule === undefined && controllerAddress === undefined;
  return changesScheme(ingress, loadBalancer) || (isFirstHttp && staticIpName === undefined);
}

function isPossible(loadBalancer: AddressRequirement["loadBalancer"], address: string): boolean {
  return loadBalancer === "internal" || isIPv6(address) || !PRIVATE.check(address);
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = "", prefix] = range.split("/");
    list.addSubnet(network, Number(prefix));
  }
  return list;
}
