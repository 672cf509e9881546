import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { Ingress, Service } from "../../src/kubernetes/objects.ts";
import { healthOf } from "../../src/loadbalancer/health.ts";
import type { LoadBalancerState } from "../../src/loadbalancer/watch.ts";

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
      hadClass: true,
      service: onService
        ? { state: "present", object: v.parse(Service, { ...metadata(onService), spec: {} }) }
        : { state: "deleted" },
      tlsSecret: { state: "unknown" },
      secretHashes: new Set(),
      managedCertificate: { state: "unknown" },
      warnings: [],
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
