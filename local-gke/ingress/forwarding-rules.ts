import type { V1Ingress } from "@kubernetes/client-node";
import type { Cloud } from "../cloud.ts";
import { isInternal, staticAddressName } from "./annotations.ts";
import type { Compute } from "./compute.ts";

/** A rule that leads one port of an Ingress's address to a proxy. */
export interface ForwardingRule {
  name: string;
  targetKind: "targetHttpProxies" | "targetHttpsProxies";
  /** Name of the target proxy. */
  target: string;
  /** Names of all rules of the same load balancer, which share an address. */
  siblings: readonly string[];
  /** An address that was made static for both rules: the one that this rule must have, or has when it is made anew. */
  promoted: { address: string; isNeeded: boolean } | undefined;
}

/** Makes forwarding rules; their addresses are in the cloud. */
export class ForwardingRules {
  readonly #cloud: Cloud;
  readonly #compute: Compute;

  constructor(cloud: Cloud, compute: Compute) {
    this.#cloud = cloud;
    this.#compute = compute;
  }

  /**
   * Makes a rule on the address that it must have, else on one of its own; one on another address is replaced
   * (ingress-gce, pkg/loadbalancers/forwarding_rules.go).
   *
   * @param record called with each Normal `Sync` event
   * @throws Error with the controller's or Google's text
   */
  async ensure(ingress: V1Ingress, rule: ForwardingRule, record: (message: string) => void): Promise<void> {
    const { forwardingRules } = this.#cloud;
    const { name, promoted } = rule;
    const internal = isInternal(ingress);
    const needed = this.#reserved(ingress, internal) ?? (promoted?.isNeeded ? promoted.address : undefined);
    const present = forwardingRules.get(name);
    // Without a name any address will do, the one that is there above all.
    if (present !== undefined && (needed === undefined || present === needed)) {
      // Controllers that were started anew find it.
      await this.#compute.insert(name);
      return;
    }
    this.delete(name);
    if (present !== undefined) record(`ForwardingRule "${name}" deleted`);
    if (internal) this.#needProxyOnlySubnet(rule);
    const address =
      needed ?? promoted?.address ?? this.#cloud.allocateAddress(name, internal ? "INTERNAL" : "EXTERNAL");
    this.#needFreeAddress(address, rule);
    await this.#compute.insert(name);
    forwardingRules.set(name, address);
    record(`ForwardingRule "${name}" created`);
  }

  /** An address of its own goes with it, for Google to give to somebody else. */
  delete(name: string): void {
    this.#compute.delete(name);
    this.#cloud.forwardingRules.delete(name);
    this.#cloud.releaseAddress(name);
  }

  /** @throws Error with the controller's text when the address that an Ingress names isn't there */
  #reserved(ingress: V1Ingress, internal: boolean): string | undefined {
    const { staticAddresses, region } = this.#cloud;
    const name = staticAddressName(ingress);
    if (name === undefined) return undefined;
    const address = staticAddresses.get(name, internal ? region : undefined);
    if (address !== undefined) return address;
    throw new Error(`the given static IP name ${name} doesn't translate to an existing static IP.`);
  }

  #needProxyOnlySubnet({ targetKind, target }: ForwardingRule): void {
    const { projectId, region, subnetworks } = this.#cloud;
    const active = [...subnetworks.values()].some(
      (subnetwork) =>
        subnetwork.region === region &&
        subnetwork.purpose === "REGIONAL_MANAGED_PROXY" &&
        subnetwork.role === "ACTIVE",
    );
    if (active) return;
    const url = `https://www.googleapis.com/compute/v1/projects/${projectId}/regions/${region}/${targetKind}/${target}`;
    throw new Error(
      `googleapi: Error 400: Invalid value for field 'resource.target': '${url}'. An active proxy-only subnetwork ` +
        "is required in the same region and VPC as the forwarding rule., invalid",
    );
  }

  #needFreeAddress(address: string, { siblings }: ForwardingRule): void {
    const others = [...this.#cloud.forwardingRules].filter(([name]) => !siblings.includes(name));
    if (others.every(([, used]) => used !== address)) return;
    throw new Error(
      `googleapi: Error 400: Invalid value for field 'resource.IPAddress': '${address}'. ` +
        "Specified IP address is in-use and would result in a conflict., invalid",
    );
  }
}
