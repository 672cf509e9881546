import type { V1Ingress } from "@kubernetes/client-node";
import type { Cloud } from "../cloud.ts";
import { isInternal, staticAddressName } from "./annotations.ts";
import type { Compute } from "./compute.ts";

/** Forwards one port of an Ingress's address to a target proxy. */
export interface ForwardingRule {
  name: string;
  targetKind: "targetHttpProxies" | "targetHttpsProxies";
  /** Name of the target proxy. */
  target: string;
  /** Names of all forwarding rules of the load balancer. They share an address. */
  siblings: readonly string[];
  /**
   * The ephemeral address that was promoted to a static one for both rules. If not needed, only new rules use
   * it.
   */
  promoted: { address: string; isNeeded: boolean } | undefined;
}

/** Makes and deletes the forwarding rules of load balancers, as Google's controller does. */
export class ForwardingRules {
  readonly #cloud: Cloud;
  readonly #compute: Compute;

  constructor(cloud: Cloud, compute: Compute) {
    this.#cloud = cloud;
    this.#compute = compute;
  }

  /**
   * Creates a rule at its required address or at a new one. Replaces a rule at a different address
   * (ingress-gce, pkg/loadbalancers/forwarding_rules.go).
   *
   * @param record receives each Normal `Sync` event
   * @throws Error with the controller's or Google's message
   */
  async ensure(ingress: V1Ingress, rule: ForwardingRule, record: (message: string) => void): Promise<void> {
    const { forwardingRules } = this.#cloud;
    const { name, promoted } = rule;
    const internal = isInternal(ingress);
    const needed = this.#reserved(ingress, internal) ?? (promoted?.isNeeded ? promoted.address : undefined);
    const present = forwardingRules.get(name);
    // Without a required address, the rule keeps its address.
    if (present !== undefined && (needed === undefined || present === needed)) {
      // After a restart of the controllers, only the cloud knows the rule.
      await this.#compute.insert(name);
      return;
    }
    this.delete(name);
    if (present !== undefined) record(`ForwardingRule "${name}" deleted`);
    this.#needPermissionOfOrganization(ingress, name, internal);
    if (internal) this.#needProxyOnlySubnet(rule);
    const address =
      needed ?? promoted?.address ?? this.#cloud.allocateAddress(name, internal ? "INTERNAL" : "EXTERNAL");
    this.#needFreeAddress(address, rule);
    await this.#compute.insert(name);
    forwardingRules.set(name, address);
    record(`ForwardingRule "${name}" created`);
  }

  /** Also releases the rule's ephemeral address. */
  delete(name: string): void {
    this.#compute.delete(name);
    this.#cloud.forwardingRules.delete(name);
    this.#cloud.releaseAddress(name);
  }

  /** @throws Error with the controller's message if the Ingress names an address that does not exist */
  #reserved(ingress: V1Ingress, internal: boolean): string | undefined {
    const { staticAddresses, region } = this.#cloud;
    const name = staticAddressName(ingress);
    if (name === undefined) return undefined;
    const address = staticAddresses.get(name, internal ? region : undefined);
    if (address !== undefined) return address;
    throw new Error(`the given static IP name ${name} doesn't translate to an existing static IP.`);
  }

  #needPermissionOfOrganization(ingress: V1Ingress, name: string, internal: boolean): void {
    if (!this.#cloud.hasFaultIn(ingress.metadata?.namespace ?? "", "organization-policy")) return;
    const { projectId, region } = this.#cloud;
    const rule = `projects/${projectId}/${internal ? `regions/${region}` : "global"}/forwardingRules/${name}`;
    const type = internal ? "INTERNAL_HTTP_HTTPS" : "GLOBAL_EXTERNAL_HTTP_HTTPS";
    throw new Error(
      "googleapi: Error 412: Constraint constraints/compute.restrictLoadBalancerCreationForTypes violated for " +
        `projects/${projectId}. Forwarding Rule ${rule} of type ${type} is not allowed., conditionNotMet`,
    );
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
