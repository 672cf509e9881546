import * as v from "valibot";
import { type Cloud, FAULTS, NAMESPACED_FAULTS } from "../cloud.ts";
import { dnsControls } from "../dns/control.ts";
import { computeControls } from "../google/compute-control.ts";

import { DEFAULT_TIMING, type Timing } from "../ingress/timing.ts";
import type { ControlPlane } from "./control-plane.ts";
import { type JsonCall, type JsonHandler, type JsonServer, serveJson } from "./json-server.ts";
import { SERVERS } from "./programs.ts";
import { HOUR_SECONDS, type Tokens } from "./tokens.ts";

/**
 * Starts the HTTP endpoint that changes a running local GKE:
 *
 * | request | effect |
 * | --- | --- |
 * | `GET /state` | returns faults, timing, addresses, certificates, policies, zones, load balancers, backends |
 * | `PUT`, `DELETE /faults/NAME` | switches a fault on, off (`FAULTS` in cloud.ts), some only in `{namespace}` |
 * | `PUT`, `DELETE /static-addresses/NAME` | reserves (and returns), releases an address |
 * | `PUT`, `DELETE /forwarding-rules/NAME` | creates, deletes an unrelated rule at `{address}` |
 * | `PUT`, `DELETE /subnetworks/NAME` | creates, deletes a subnet (`Subnetwork` in compute-control.ts) |
 * | `PUT`, `DELETE /ssl-certificates/NAME` | creates, deletes an SSL certificate (`Certificate` there) |
 * | `PUT`, `DELETE /ssl-policies/NAME` | creates, deletes an SSL policy |
 * | `PUT`, `DELETE /security-policies/NAME` | creates, deletes a Cloud Armor policy |
 * | `PUT`, `DELETE /dns-zones/NAME` | creates, deletes a Cloud DNS zone (`Zone` in dns/control.ts) |
 * | `GET /dns-records/HOST` | returns the public records of a name |
 * | `PUT`, `DELETE /dns-records/HOST` | sets, deletes public records outside of Cloud DNS |
 * | `PUT /interruptions/NAME` | kills `kube-apiserver`, stops `etcd`, for as many milliseconds as the body says |
 * | `PUT /timing/NAME` | sets a delay in milliseconds (`Timing` in ingress/timing.ts) |
 * | `PUT /token-lifetime` | sets the lifetime of new tokens, in seconds |
 * | `DELETE /tokens` | revokes all tokens |
 * | `DELETE /settings` | switches all faults off, resets delays and the lifetime of tokens |
 * | `DELETE /resources` | deletes all that was created at Google, except what belongs to Kubernetes objects |
 */
export function startControlApi(
  cloud: Cloud,
  tokens: Tokens,
  timing: Timing,
  { interrupt }: Pick<ControlPlane, "interrupt">,
): Promise<JsonServer> {
  const handlers: Record<string, JsonHandler> = {
    "GET /state": () => stateOf(cloud, timing),
    "PUT /faults": (call) => setFault(cloud, call, true),
    "DELETE /faults": (call) => setFault(cloud, call, false),
    ...computeControls(cloud),
    ...dnsControls(cloud),
    "PUT /interruptions": ({ name, body }) => {
      if (!v.is(v.picklist(SERVERS), name)) return undefined;
      interrupt(name, parseNumber(body));
      return {};
    },
    "PUT /timing": ({ name, body }) => {
      if (!isTime(name, timing)) return undefined;
      timing[name] = parseNumber(body);
      return timing;
    },
    "PUT /token-lifetime": ({ body }) => {
      tokens.lifetimeSeconds = parseNumber(body);
      return {};
    },
    "DELETE /tokens": () => {
      tokens.revokeAll();
      return {};
    },
    "DELETE /settings": () => {
      for (const fault of cloud.faults) cloud.setFault(fault, false);
      cloud.faultsInNamespaces.clear();
      Object.assign(timing, DEFAULT_TIMING);
      tokens.lifetimeSeconds = HOUR_SECONDS;
      return {};
    },
    "DELETE /resources": () => {
      cloud.deleteResources();
      return {};
    },
  };
  return serveJson(handlers);
}

function stateOf(cloud: Cloud, timing: Timing): object {
  return {
    faults: [...cloud.faults, ...cloud.faultsInNamespaces],
    timing,
    staticAddresses: cloud.staticAddresses.values(),
    sslCertificates: [...cloud.sslCertificates.keys()],
    securityPolicies: [...cloud.securityPolicies.values()],
    managedZones: [...cloud.managedZones.values()].map(({ name, dnsName, visibility, delegated }) => ({
      name,
      dnsName,
      visibility,
      delegated,
    })),
    loadBalancers: [...cloud.loadBalancers.values()].map(({ certificates, ...rest }) => ({
      ...rest,
      certificates: certificates.map(({ name }) => name),
    })),
    backends: Object.fromEntries([...cloud.backends.values()].map((each) => [each.name, cloud.health(each)])),
  };
}

function setFault(cloud: Cloud, { name, body }: JsonCall, on: boolean): object | undefined {
  if (!v.is(v.picklist(FAULTS), name)) return undefined;
  if (body === undefined) cloud.setFault(name, on);
  else {
    const { namespace } = v.parse(v.strictObject({ namespace: v.string() }), body);
    cloud.setFaultIn(namespace, v.parse(v.picklist(NAMESPACED_FAULTS), name), on);
  }
  return {};
}

function isTime(name: string, timing: Timing): name is keyof Timing {
  return Object.hasOwn(timing, name);
}

function parseNumber(body: unknown): number {
  if (typeof body !== "number" || body < 0) throw new Error("the request body must be a number, 0 or more");
  return body;
}
