import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  certificateName,
  clusterIds,
  frontendNames,
  negName,
  nodePortBackendName,
  trimEvenly,
} from "../../local-gke/ingress/names.ts";

const IDS = clusterIds("5e0b7c6e-0000-4000-8000-000000000000");
const DIGITS = "01234567890123456789012345678901234567890123456789";
const LABEL = fc.stringMatching(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
const RESOURCE = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

describe("names of Google's resources", () => {
  test("of a frontend contain the names of its Ingress", () => {
    const names = frontendNames(IDS, "default", "my-release-milvus");
    expect(names.loadBalancer).toMatch(/^[0-9a-z]{8}-default-my-release-milvus-[0-9a-z]{8}$/);
    expect(names.urlMap).toBe(`k8s2-um-${names.loadBalancer}`);
    expect(names.httpForwardingRule).toBe(`k8s2-fr-${names.loadBalancer}`);
    expect(names.httpsForwardingRule).toBe(`k8s2-fs-${names.loadBalancer}`);
    expect(names.httpProxy).toBe(`k8s2-tp-${names.loadBalancer}`);
    expect(names.httpsProxy).toBe(`k8s2-ts-${names.loadBalancer}`);
  });

  // The expectations of ingress-gce's own test (pkg/utils/namer/frontendnamer_test.go).
  test.each([
    ["namespace", "name", "7kpbhpki-namespace-name-uhmwf5xi", "fvix6gj3ge1emsdj"],
    [
      DIGITS.slice(0, 23),
      DIGITS.slice(0, 24),
      "7kpbhpki-012345678901234567-012345678901234567-hg17g9tx",
      "ktiggo5yie4uh72b",
    ],
    [DIGITS, "0", "7kpbhpki-012345678901234567890123456789012345--v8ajgbg3", "m6a592dazogk94ra"],
    ["0", DIGITS, "7kpbhpki-0-01234567890123456789012345678901234-fyhus2f6", "a33x986k79kbu0me"],
    [DIGITS, DIGITS, "7kpbhpki-012345678901234567-012345678901234567-69z4wrm0", "5pu4c55s4c47rr9e"],
  ])("of the Ingress %s/%s are those of ingress-gce", (namespace, ingress, loadBalancer, hash) => {
    expect(frontendNames(clusterIds("kubesystem-uid1"), namespace, ingress)).toMatchObject({
      loadBalancer,
      certificatePrefix: `k8s2-cr-7kpbhpki-${hash}-`,
    });
  });

  test("of backends contain the names of their Services", () => {
    expect(negName(IDS, "default", "my-release-milvus", 19530)).toMatch(
      /^k8s1-[0-9a-f]{8}-default-my-release-milvus-19530-[0-9a-f]{8}$/,
    );
    expect(nodePortBackendName(IDS, 30291)).toMatch(/^k8s-be-30291--[0-9a-f]{16}$/);
  });

  test("of certificates differ by content in the last part only", () => {
    const names = frontendNames(IDS, "default", "my-release-milvus");
    const [one, other] = ["one", "other"].map((pem) => certificateName(names, pem));
    expect(one).toMatch(/^k8s2-cr-[0-9a-z]{8}-[0-9a-z]{16}-[0-9a-f]{16}$/);
    expect(other).not.toBe(one);
    expect(other?.slice(0, -16)).toBe(one?.slice(0, -16));
  });

  test("are valid and unique for any namespace and name", () => {
    fc.assert(
      fc.property(LABEL, LABEL, fc.integer({ min: 1, max: 65535 }), (namespace, name, port) => {
        expect(frontendNames(IDS, namespace, name).urlMap).toMatch(RESOURCE);
        expect(negName(IDS, namespace, name, port)).toMatch(RESOURCE);
        expect(negName(IDS, namespace, name, port)).not.toBe(negName(IDS, namespace, `${name}x`, port));
      }),
    );
  });

  test("trimEvenly shortens fields to exactly the limit if they exceed it", () => {
    expect(trimEvenly(10, ["abc", "defg"])).toEqual(["abc", "defg"]);
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 3, max: 40 }),
        (fields, max) => {
          const trimmed = trimEvenly(max, fields);
          const total = fields.join("").length;
          expect(trimmed.join("").length).toBe(Math.min(total, max));
          for (const [index, field] of fields.entries())
            expect(field.startsWith(trimmed[index] ?? "?")).toBe(true);
        },
      ),
    );
  });
});
