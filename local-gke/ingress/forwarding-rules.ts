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
   * Makes a rule on the address that an Ingress names, else on one of its own; one on another address is replaced.
   *
   * @param ingressKey the Ingress's `namespace/name`
   * @param record called with each Normal `Sync` event
   * @throws Error with the controller's or Google's text
   */
  async ensure(
    ingress: V1Ingress,
    ingressKey: string,
    rule: ForwardingRule,
    record: (message: string) => void,
  ): Promise<void> {
    const { forwardingRules, region } = this.#cloud;
    const { name } = rule;
    const internal = isInternal(ingress);
    const reserved = staticAddressName(ingress);
    const address =
      reserved === undefined
        ? this.#cloud.allocateAddress(ingressKey, internal ? "INTERNAL" : "EXTERNAL")
        : this.#cloud.staticAddresses.get(reserved, internal ? region : undefined);
    if (address === undefined) {
      throw new Error(`the given static IP name ${reserved} doesn't translate to an existing static IP.`);
    }
    const present = this.#compute.has(name) ? forwardingRules.get(name) : undefined;
    // Without a name any address will do, the one that is there above all.
    if (present === address || (present !== undefined && reserved === undefined)) return;
    this.delete(name);
    if (present !== undefined) record(`ForwardingRule "${name}" deleted`);
    if (internal) this.#needProxyOnlySubnet(rule);
    this.#needFreeAddress(address, rule);
    await this.#compute.insert(name);
    forwardingRules.set(name, address);
    record(`ForwardingRule "${name}" created`);
  }

  delete(name: string): void {
    this.#compute.delete(name);
    this.#cloud.forwardingRules.delete(name);
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
