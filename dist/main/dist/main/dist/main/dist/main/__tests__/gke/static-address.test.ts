import { describe, expect, test } from "vitest";
import { clusterIds, frontendNames } from "../../local-gke/ingress/names.ts";
import type { Address } from "../../src/gke/compute-resources.ts";
import { type AddressUse, problemOfAddress } from "../../src/gke/static-address.ts";

describe("problemOfAddress", () => {
  const LONG = "a-namespace-with-a-name-that-is-quite-long";
  const UID = "uid-of-kube-system";
  const names = frontendNames(clusterIds(UID), "default", "my-release-milvus");
  const longNames = frontendNames(clusterIds(UID), LONG, "my-release-milvus");
  const others = frontendNames(clusterIds(UID), "default", "other-milvus");
  const elsewhere = frontendNames(clusterIds("uid-of-another-cluster"), "default", "my-release-milvus");
  const free: Address = {
    name: "milvus",
    address: "203.0.113.7",
    addressType: "EXTERNAL",
    status: "RESERVED",
    users: [],
  };
  const usedBy = (...rules: string[]): Address => ({
    ...free,
    status: "IN_USE",
    users: rules.map(
      (rule) => `https://www.googleapis.com/compute/v1/projects/my-project/global/forwardingRules/${rule}`,
    ),
  });
  const named = (rule: string) => ({ "ingress.kubernetes.io/https-forwarding-rule": rule });
  const USE: AddressUse = {
    projectId: "my-project",
    scope: "global",
    namespace: "default",
    ingress: "my-release-milvus",
    allowHttp: false,
    annotations: undefined,
    clusterUid: UID,
  };
  const INTERNAL: Address = {
    ...free,
    addressType: "INTERNAL",
    address: "10.0.0.7",
    purpose: "GCE_ENDPOINT",
  };
  const REGIONAL: Partial<AddressUse> = { scope: "regions/us-central1" };

  test.each<[string, Address, Partial<AddressUse>]>([
    ["a free one", free, {}],
    ["one of this Ingress's rules", usedBy(names.httpsForwardingRule), { annotations: {} }],
    [
      "both of this Ingress's rules",
      usedBy(names.httpForwardingRule, names.httpsForwardingRule),
      { annotations: {} },
    ],
    [
      "names too long to be whole",
      usedBy(longNames.httpsForwardingRule),
      { namespace: LONG, annotations: {} },
    ],
    [
      "one of an Ingress of this name, where nobody tells which cluster this is",
      usedBy(longNames.httpForwardingRule),
      { namespace: LONG, annotations: {}, clusterUid: undefined },
    ],
    [
      "one that ingress-gce's own test of its names has",
      usedBy("k8s2-fr-7kpbhpki-namespace-name-uhmwf5xi"),
      { namespace: "namespace", ingress: "name", annotations: {}, clusterUid: "kubesystem-uid1" },
    ],
    [
      "the rule that the Ingress names, and its other one",
      usedBy(names.httpForwardingRule, names.httpsForwardingRule),
      { annotations: named(names.httpsForwardingRule) },
    ],
    [
      "rules in the old naming scheme",
      usedBy(
        "k8s-fw-default-my-release-milvus--0123456789abcdef",
        "k8s-fws-default-my-release-milvus--0123456789abcdef",
      ),
      { annotations: named("k8s-fws-default-my-release-milvus--0123456789abcdef") },
    ],
    ["an internal one", INTERNAL, REGIONAL],
    [
      "an internal one that HTTP and HTTPS share",
      { ...INTERNAL, purpose: "SHARED_LOADBALANCER_VIP" },
      { ...REGIONAL, allowHttp: true },
    ],
  ])("none: %s", (_, address, use) => {
    expect(problemOfAddress("milvus", { address, elsewhere: undefined }, { ...USE, ...use })).toBeUndefined();
  });

  test.each<[string, Address | undefined, Partial<AddressUse>, RegExp]>([
    [
      "there is none",
      undefined,
      {},
      /no static address milvus in the project my-project: an external load balancer needs a global.*create_static_ip/s,
    ],
    [
      "another Ingress's rule",
      usedBy(others.httpsForwardingRule),
      { annotations: {} },
      /milvus \(203\.0\.113\.7\) is used.*projects\/my-project\/global\/forwardingRules\/k8s2-fs-.*other-milvus/s,
    ],
    ["this Ingress's, which isn't in the cluster", usedBy(names.httpsForwardingRule), {}, /is used/],
    [
      "an Ingress of this name in another cluster",
      usedBy(elsewhere.httpsForwardingRule),
      { annotations: named(names.httpsForwardingRule) },
      /is used/,
    ],
    [
      "the same while this one's load balancer comes up",
      usedBy(elsewhere.httpsForwardingRule),
      { annotations: {} },
      /is used/,
    ],
    [
      "another Ingress's rule, where nobody tells which cluster this is",
      usedBy(others.httpsForwardingRule),
      { annotations: {}, clusterUid: undefined },
      /is used/,
    ],
    [
      "IPv6",
      { ...free, address: "2001:db8::7" },
      {},
      /can't be used.*it is 2001:db8::7, addressType EXTERNAL/s,
    ],
    ["a range for peering", { ...free, addressType: "INTERNAL" }, {}, /can't be used.*addressType INTERNAL/s],
    ["an external one for an internal load balancer", free, REGIONAL, /needs an internal IPv4.*us-central1/],
    [
      "an internal one of one rule only, for HTTP and HTTPS",
      INTERNAL,
      { ...REGIONAL, allowHttp: true },
      /can't serve both HTTP and HTTPS.*purpose is GCE_ENDPOINT.*allow_http: false/s,
    ],
  ])("%s", (_, address, use, message) => {
    expect(
      problemOfAddress("milvus", { address, elsewhere: undefined }, { ...USE, ...use })?.message,
    ).toMatch(message);
  });

  test.each([
    [
      "global",
      "regions/us-central1",
      /is in the region us-central1: an external load balancer needs a global/,
    ],
    [
      "regions/us-central1",
      "global",
      /is global: an internal load balancer needs an internal IPv4 address of the region/,
    ],
  ] as const)("one that is wanted %s is %s", (scope, other, message) => {
    const problem = problemOfAddress("milvus", { address: undefined, elsewhere: other }, { ...USE, scope });
    expect(problem?.message).toMatch(message);
  });
});
