import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { Ingress } from "../../src/kubernetes/objects.ts";
import {
  type AddressRequirement,
  addressOf,
  addressRequirement,
  matchingAddress,
} from "../../src/loadbalancer/address.ts";

describe("addressOf", () => {
  const FINALIZERS = ["networking.gke.io/ingress-finalizer-V2"];
  const entries = (...ingress: object[]) => ({ loadBalancer: { ingress } });
  test.each<[string, string[] | undefined, object | undefined, string | undefined]>([
    ["an address", FINALIZERS, entries({ ip: "203.0.113.1" }), "203.0.113.1"],
    [
      "the older finalizer",
      ["networking.gke.io/ingress-finalizer"],
      entries({ ip: "203.0.113.1" }),
      "203.0.113.1",
    ],
    ["an IPv6 address", FINALIZERS, entries({ ip: "2001:db8::1" }), "2001:db8::1"],
    ["the first of two", FINALIZERS, entries({ hostname: "h" }, { ip: "203.0.113.2" }), "203.0.113.2"],
    ["an empty one", FINALIZERS, entries({ ip: "" }), undefined],
    ["no address yet", FINALIZERS, { loadBalancer: {} }, undefined],
    ["no status yet", FINALIZERS, undefined, undefined],
    ["left over without the finalizer", undefined, entries({ ip: "203.0.113.1" }), undefined],
    ["another controller's", ["example.com/finalizer"], entries({ ip: "203.0.113.1" }), undefined],
  ])("%s", (_, finalizers, status, address) => {
    expect(addressOf(v.parse(Ingress, { metadata: { name: "i", finalizers }, status }))).toBe(address);
  });
});

describe("matchingAddress", () => {
  const WANTED: AddressRequirement = {
    loadBalancer: "external",
    allowHttp: false,
    reserved: undefined,
    former: undefined,
  };
  const INTERNAL: Partial<AddressRequirement> = { loadBalancer: "internal" };
  const HTTP = { "ingress.kubernetes.io/forwarding-rule": "k8s2-fr-x" };
  const HTTPS = { "ingress.kubernetes.io/https-forwarding-rule": "k8s2-fs-x" };

  function due(ip: string | undefined, annotations: object, wanted: Partial<AddressRequirement>) {
    const metadata = { name: "i", finalizers: ["networking.gke.io/ingress-finalizer-V2"], annotations };
    const status = { loadBalancer: { ingress: [{ ip }] } };
    return matchingAddress(v.parse(Ingress, { metadata, status }), { ...WANTED, ...wanted });
  }

  test.each<[string, string, object, Partial<AddressRequirement>]>([
    ["external", "203.0.113.1", {}, {}],
    ["with HTTPS", "203.0.113.1", HTTPS, {}],
    ["with HTTP", "203.0.113.1", { ...HTTP, ...HTTPS }, { allowHttp: true }],
    ["reserved", "203.0.113.1", {}, { reserved: "203.0.113.1" }],
    ["internal", "10.128.0.7", {}, INTERNAL],
    ["internal, of a public range that is used privately", "203.0.113.1", {}, INTERNAL],
    ["IPv6", "2001:db8::1", {}, {}],
  ])("%s", (_, ip, annotations, wanted) => {
    expect(due(ip, annotations, wanted)).toBe(ip);
  });

  test.each<[string, string | undefined, object, Partial<AddressRequirement>]>([
    ["none yet", undefined, {}, {}],
    ["from before the HTTP rule was added", "203.0.113.1", HTTPS, { allowHttp: true }],
    ["from before the HTTP rule was removed", "203.0.113.1", { ...HTTP, ...HTTPS }, {}],
    ["not the reserved one", "203.0.113.1", {}, { reserved: "203.0.113.2" }],
    [
      "reserved, but from before the HTTP rule was added",
      "203.0.113.1",
      {},
      { reserved: "203.0.113.1", allowHttp: true },
    ],
    ["that of the former load balancer", "203.0.113.1", {}, { former: "203.0.113.1" }],
    ["private for an external one", "10.128.0.7", {}, {}],
  ])("returns nothing for an address that is %s", (_, ip, annotations, wanted) => {
    expect(due(ip, annotations, wanted)).toBeUndefined();
  });
});

describe("the former address", () => {
  const FINALIZERS = ["networking.gke.io/ingress-finalizer-V2"];
  const INTERNAL = { "kubernetes.io/ingress.class": "gce-internal" };
  test.each<[string, object, string | undefined]>([
    ["none if the load balancer stays", { finalizers: FINALIZERS }, undefined],
    ["that of an internal one", { finalizers: FINALIZERS, annotations: INTERNAL }, "203.0.113.1"],
    ["left over from before the Ingress had another class", {}, "203.0.113.1"],
  ])("is %s", (_, metadata, former) => {
    const status = { loadBalancer: { ingress: [{ ip: "203.0.113.1" }] } };
    const ingress = v.parse(Ingress, { metadata: { name: "i", ...metadata }, status });
    const settings = { loadBalancer: "external", allowHttp: false } as const;
    expect(addressRequirement(ingress, settings, undefined)).toMatchObject({ former });
  });
});
