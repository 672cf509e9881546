import { type Cloud, FAULTS, type Fault } from "../cloud.ts";
import { dnsControls } from "../dns/control.ts";
import { computeControls } from "../google/compute-control.ts";
import type { Timing } from "../ingress/timing.ts";
import { type Handler, type JsonServer, serveJson } from "./json-server.ts";
import type { Tokens } from "./tokens.ts";

/**
 * Starts the endpoint by which a running local GKE is changed from outside:
 *
 * | request | does |
 * | --- | --- |
 * | `GET /state` | returns faults, timing, addresses, certificates, zones, load balancers and the health of backends |
 * | `PUT`, `DELETE /faults/NAME` | switches a fault (`FAULTS` in cloud.ts) on, off |
 * | `PUT`, `DELETE /static-addresses/NAME` | reserves an address, which is returned, globally or in `{region}`, with `{addressType, purpose}`; gives it up |
 * | `PUT`, `DELETE /forwarding-rules/NAME` | makes a rule of somebody else's load balancer, which uses `{address}`; removes it |
 * | `PUT`, `DELETE /subnetworks/NAME` | makes a subnet from `{purpose, role, region, ipCidrRange}`, all optional; removes it, e.g. `proxy-only-subnet` |
 * | `PUT`, `DELETE /ssl-certificates/NAME` | creates a certificate at Google from `{certificate, privateKey}`, globally or in `{region}`; removes it |
 * | `PUT`, `DELETE /ssl-policies/NAME`, `/security-policies/NAME` | makes a policy for TLS, one of Cloud Armor; removes it |
 * | `PUT`, `DELETE /dns-zones/NAME` | makes a zone of Cloud DNS from `{dnsName, visibility, delegated}`; removes it with its records |
 * | `GET /dns-records/HOST` | returns the records that the world sees at a name |
 * | `PUT`, `DELETE /dns-records/HOST` | sets the records of a type from `{type, values, ttl}`, as at another registrar; removes those of `{type}`, or all |
 * | `PUT /timing/NAME` | sets a time (`Timing` in ingress/timing.ts) to the body, a number of milliseconds |
 * | `PUT /token-lifetime` | sets how long tokens issued from now on are good for, in seconds |
 * | `DELETE /tokens` | revokes all tokens issued so far |
 */
export function startControlApi(cloud: Cloud, tokens: Tokens, timing: Timing): Promise<JsonServer> {
  const handlers: Record<string, Handler> = {
    "GET /state": () => stateOf(cloud, timing),
    "PUT /faults": ({ name }) => setFault(cloud, name, true),
    "DELETE /faults": ({ name }) => setFault(cloud, name, false),
    ...computeControls(cloud),
    ...dnsControls(cloud),
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
  };
  return serveJson(handlers);
}

function stateOf(cloud: Cloud, timing: Timing): object {
  return {
    faults: [...cloud.faults],
    timing,
    staticAddresses: cloud.staticAddresses.values(),
    sslCertificates: [...cloud.sslCertificates.keys()],
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

function setFault(cloud: Cloud, name: string, on: boolean): object | undefined {
  const fault = FAULTS.find((known): known is Fault => known === name);
  if (!fault) return undefined;
  cloud.setFault(fault, on);
  return {};
}

function isTime(name: string, timing: Timing): name is keyof Timing {
  return Object.hasOwn(timing, name);
}

function parseNumber(body: unknown): number {
  if (typeof body !== "number" || body < 0) throw new Error("the body must be a number, 0 or more");
  return body;
}
