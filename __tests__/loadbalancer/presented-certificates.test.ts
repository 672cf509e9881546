import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { Ingress } from "../../src/kubernetes/objects.ts";
import { presents, secretHashOf } from "../../src/loadbalancer/presented-certificates.ts";

const ingressWith = (annotations: Record<string, string>) =>
  v.parse(Ingress, { metadata: { name: "i", annotations }, spec: {} });

describe("presents", () => {
  // sha256sum of "abc" begins with ba7816bf8f01cfea.
  test.each<[string, string | undefined, boolean, string[]?]>([
    ["nothing said", undefined, true, ["a"]],
    ["an empty list", "", true],
    ["beside one at Google", "a,k8s2-cr-uid-hash-ba7816bf8f01cfea", true, ["a"]],
    ["without the one at Google", "b,k8s2-cr-uid-hash-ba7816bf8f01cfea", false, ["a"]],
    ["the certificate's hash", "k8s2-cr-uid-hash-ba7816bf8f01cfea", true],
    ["among others", "mcrt-1, k8s2-cr-uid-hash-ba7816bf8f01cfea", true],
    ["another certificate", "k8s2-cr-uid-hash-0000000000000000", false],
  ])("%s", (_, annotation, expected, preShared = []) => {
    const annotations = annotation === undefined ? {} : { "ingress.kubernetes.io/ssl-cert": annotation };
    expect(
      presents(ingressWith(annotations), { secretHash: secretHashOf(Buffer.from("abc")), preShared }),
    ).toBe(expected);
  });

  test("is true if no certificate is required", () => {
    const ingress = ingressWith({ "ingress.kubernetes.io/ssl-cert": "mcrt-1" });
    expect(presents(ingress, { secretHash: undefined, preShared: [] })).toBe(true);
  });
});
