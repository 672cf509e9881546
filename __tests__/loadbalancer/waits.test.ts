import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { Ingress, Service } from "../../src/kubernetes/objects.ts";
import { type AddressWanted, addressDue, addressOf, healthOf } from "../../src/loadbalancer/waits.ts";
import type { LoadBalancerState } from "../../src/loadbalancer/watch.ts";

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

describe("addressDue", () => {
  const WANTED: AddressWanted = {
    loadBalancer: "external",
    allowHttp: false,
    reserved: undefined,
    former: undefined,
  };
  const INTERNAL: Partial<AddressWanted> = { loadBalancer: "internal" };
  const HTTP = { "ingress.kubernetes.io/forwarding-rule": "k8s2-fr-x" };
  const HTTPS = { "ingress.kubernetes.io/https-forwarding-rule": "k8s2-fs-x" };

  function due(ip: string | undefined, annotations: object, wanted: Partial<AddressWanted>) {
    const metadata = { name: "i", finalizers: ["networking.gke.io/ingress-finalizer-V2"], annotations };
    const status = { loadBalancer: { ingress: [{ ip }] } };
    return addressDue(v.parse(Ingress, { metadata, status }), { ...WANTED, ...wanted });
  }

  test.each<[string, string, object, Partial<AddressWanted>]>([
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

  test.each<[string, string | undefined, object, Partial<AddressWanted>]>([
    ["none yet", undefined, {}, {}],
    ["of before HTTP is served too", "203.0.113.1", HTTPS, { allowHttp: true }],
    ["of before HTTP is served no more", "203.0.113.1", { ...HTTP, ...HTTPS }, {}],
    ["not the reserved one", "203.0.113.1", {}, { reserved: "203.0.113.2" }],
    [
      "reserved, but of before HTTP is served too",
      "203.0.113.1",
      {},
      { reserved: "203.0.113.1", allowHttp: true },
    ],
    ["of the former load balancer", "203.0.113.1", {}, { former: "203.0.113.1" }],
    ["private for an external one", "10.128.0.7", {}, {}],
  ])("not one that is %s", (_, ip, annotations, wanted) => {
    expect(due(ip, annotations, wanted)).toBeUndefined();
  });
});

describe("healthOf", () => {
  const RULE = { "ingress.kubernetes.io/https-forwarding-rule": "k8s2-fs-x" };
  const backends = (health: unknown) => ({ "ingress.kubernetes.io/backends": JSON.stringify(health) });
  const group = (...names: string[]) => ({
    "cloud.google.com/neg-status": JSON.stringify({
      network_endpoint_groups: Object.fromEntries(names.map((name, index) => [String(19530 + index), name])),
      zones: ["us-central1-a"],
    }),
  });

  function health(onIngress: object | undefined, onService: object | undefined) {
    const metadata = (annotations: object) => ({ metadata: { name: "x", annotations } });
    const state: LoadBalancerState = {
      ingress: onIngress
        ? { state: "present", object: v.parse(Ingress, metadata(onIngress)) }
        : { state: "unknown" },
      service: onService
        ? { state: "present", object: v.parse(Service, { ...metadata(onService), spec: {} }) }
        : { state: "deleted" },
      tlsSecret: { state: "unknown" },
      managedCertificate: { state: "unknown" },
      complaints: [],
      earlierWarning: undefined,
      firewallAdvice: undefined,
    };
    return healthOf(state);
  }

  const BOTH = { "k8s-be-30291--uid": "HEALTHY", "k8s1-neg": "UNHEALTHY" };
  test.each<[string, object | undefined, object | undefined, object]>([
    [
      "everything there",
      { ...RULE, ...backends(BOTH) },
      group("k8s1-neg"),
      { https: true, backends: BOTH, milvus: "k8s1-neg" },
    ],
    ["nothing known", undefined, undefined, { https: false, backends: {}, milvus: undefined }],
    ["no HTTPS yet", backends(BOTH), group("k8s1-neg"), { https: false, backends: BOTH, milvus: "k8s1-neg" }],
    [
      "the default backend isn't Milvus's",
      backends({ "k8s-be-30291--uid": "HEALTHY" }),
      {},
      { milvus: undefined },
    ],
    [
      "a group that the load balancer doesn't know yet",
      { ...RULE, ...backends({}) },
      group("k8s1-neg"),
      { milvus: "k8s1-neg" },
    ],
    [
      "of several groups the one behind the load balancer",
      backends(BOTH),
      group("other", "k8s1-neg"),
      { milvus: "k8s1-neg" },
    ],
    [
      "malformed JSON",
      { "ingress.kubernetes.io/backends": "{" },
      { "cloud.google.com/neg-status": "}" },
      { backends: {}, milvus: undefined },
    ],
    [
      "JSON of another shape",
      backends([1]),
      { "cloud.google.com/neg-status": "null" },
      { backends: {}, milvus: undefined },
    ],
    ["health that is no text", backends({ a: 1 }), group("a"), { backends: {}, milvus: "a" }],
  ])("%s", (_, onIngress, onService, expected) => {
    expect(health(onIngress, onService)).toMatchObject(expected);
  });
});
