import { type Cloud, FAULTS, type Fault, type SslCertificate } from "../cloud.ts";
import type { Timing } from "../ingress/timing.ts";
import { type Handler, type JsonServer, serveJson } from "./json-server.ts";
import type { Tokens } from "./tokens.ts";

/**
 * Starts the endpoint by which a running local GKE is changed from outside:
 *
 * | request | does |
 * | --- | --- |
 * | `GET /state` | returns faults, timing, addresses, certificates, load balancers and the health of backends |
 * | `PUT`, `DELETE /faults/NAME` | switches a fault (`FAULTS` in cloud.ts) on, off |
 * | `PUT`, `DELETE /static-addresses/NAME` | reserves an address, which is returned; gives it up |
 * | `PUT`, `DELETE /ssl-certificates/NAME` | creates a certificate at Google from `{certificate, privateKey}`; removes it |
 * | `PUT /timing/NAME` | sets a time (`Timing` in ingress/timing.ts) to the body, a number of milliseconds |
 * | `PUT /token-lifetime` | sets how long tokens issued from now on are good for, in seconds |
 * | `DELETE /tokens` | revokes all tokens issued so far |
 */
export function startControlApi(cloud: Cloud, tokens: Tokens, timing: Timing): Promise<JsonServer> {
  const handlers: Record<string, Handler> = {
    "GET /state": () => stateOf(cloud, timing),
    "PUT /faults": ({ name }) => setFault(cloud, name, true),
    "DELETE /faults": ({ name }) => setFault(cloud, name, false),
    "PUT /static-addresses": ({ name }) => ({ address: cloud.reserveAddress(name) }),
    "DELETE /static-addresses": ({ name }) => (cloud.staticAddresses.delete(name) ? {} : undefined),
    "PUT /ssl-certificates": ({ name, body }) => {
      cloud.sslCertificates.set(name, parseCertificate(name, body));
      cloud.emit("resource");
      return {};
    },
    "DELETE /ssl-certificates": ({ name }) => (cloud.sslCertificates.delete(name) ? {} : undefined),
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
    staticAddresses: Object.fromEntries(cloud.staticAddresses),
    sslCertificates: [...cloud.sslCertificates.keys()],
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

function parseCertificate(name: string, body: unknown): SslCertificate {
  if (typeof body === "object" && body !== null && "certificate" in body && "privateKey" in body) {
    const { certificate, privateKey } = body;
    if (typeof certificate === "string" && typeof privateKey === "string") {
      return { name, certificate, privateKey };
    }
  }
  throw new Error("the body must have the strings certificate and privateKey, both PEM");
}
