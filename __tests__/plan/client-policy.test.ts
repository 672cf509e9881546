import { describe, expect, test } from "vitest";
import { rulesFor } from "../../src/gke/allowed-ranges.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import type { ClientPolicy } from "../../src/observe/client-policy.ts";
import type { Observed } from "../../src/observe/observed.ts";
import { admissionOf, policyActionOf } from "../../src/plan/client-policy.ts";
import { openDoorOf } from "../../src/plan/exposure.ts";
import { googleChanges } from "../../src/plan/google.ts";
import { planLoadBalancer } from "../../src/plan/load-balancer.ts";
import { liveObject, NO_PROJECT, observed, settings } from "../support/observed.ts";

const RANGES = "203.0.113.0/24";
const PORT = { name: "milvus", port: 19530 };

const policyWith = (more: Partial<ClientPolicy> = {}): ClientPolicy => ({
  name: "milvus-default-x",
  description: "ours",
  project: NO_PROJECT,
  live: { name: "milvus-default-x", description: "ours", rules: rulesFor([RANGES]) },
  isOurs: true,
  ...more,
});

function seeing(clientPolicy: ClientPolicy | undefined, objects: KubernetesObject[] = []): Observed {
  const seen = observed({}, {}, objects);
  return { ...seen, google: { ...seen.google, clientPolicy } };
}

const backendConfig = (spec: object) =>
  liveObject({ kind: "BackendConfig", metadata: { name: "my-release-backendconfig" }, spec });
const INGRESS = liveObject({
  kind: "Ingress",
  metadata: { name: "my-release-milvus", finalizers: ["networking.gke.io/ingress-finalizer-V2"] },
  status: { loadBalancer: { ingress: [{ ip: "203.0.113.7" }] } },
});

describe("what becomes of the policy", () => {
  test.each<[string, Record<string, string>, ClientPolicy | undefined, string | undefined]>([
    ["it is made", { allowed_ranges: RANGES }, policyWith({ live: undefined }), "create"],
    ["it is as it should be", { allowed_ranges: RANGES }, policyWith(), "keep"],
    ["it is changed", { allowed_ranges: "192.0.2.0/24" }, policyWith(), "change"],
    ["it goes with its input", {}, policyWith(), "delete"],
    ["it stays until a run proves the load balancer", { wait_for: "address" }, policyWith(), "keep"],
    ["there is none", {}, undefined, undefined],
  ])("%s", (_, inputs, policy, action) => {
    const wanted = settings(inputs);
    const { google } = seeing(policy);
    expect(policyActionOf(wanted, google)).toBe(action);
    const isChange = action !== undefined && action !== "keep";
    expect(googleChanges(wanted, google)).toEqual(
      isChange ? [{ kind: "Cloud Armor policy", name: "milvus-default-x", action }] : [],
    );
  });

  test("one of somebody else's is refused", () => {
    const live = { name: "milvus-default-x", description: "theirs", rules: [] };
    const { google } = seeing(policyWith({ live, isOurs: false }));
    expect(() => policyActionOf(settings({ allowed_ranges: RANGES }), google)).toThrow(
      /^The Cloud Armor policy milvus-default-x was not made by this action; nothing was changed\.\nWhy: its description is "theirs", not "ours"\.\n/,
    );
  });

  test.each([
    ["create", `The load balancer admits ${RANGES} only (allowed_ranges): other clients get HTTP 403.`],
    ["change", `The load balancer admits ${RANGES} only (allowed_ranges): other clients get HTTP 403.`],
    ["keep", undefined],
    ["delete", "The load balancer admits everybody again: allowed_ranges is no longer set."],
  ] as const)("the plan says what %s means for clients", (action, sentence) => {
    expect(admissionOf({ allowedRanges: [RANGES] }, action)).toBe(sentence);
  });

  test("a sentence doesn't list hundreds of ranges", () => {
    const allowedRanges = Array.from({ length: 250 }, (_, index) => `10.0.${index}.0/24`);
    expect(admissionOf({ allowedRanges }, "create")).toMatch(/10\.0\.9\.0\/24 and 240 more only/);
  });
});

describe("the BackendConfig", () => {
  const specOf = (inputs: Record<string, string>, seen: Observed) =>
    planLoadBalancer(settings(inputs), seen, PORT).manifests.find(({ kind }) => kind === "BackendConfig");

  test("names the policy, which Google's controller attaches", () => {
    expect(specOf({ allowed_ranges: RANGES }, seeing(policyWith()))).toMatchObject({
      spec: { securityPolicy: { name: "milvus-default-x" } },
    });
  });

  test("names none once the input is gone, which detaches it", () => {
    const live = backendConfig({ securityPolicy: { name: "milvus-default-x" } });
    expect(specOf({}, seeing(policyWith(), [live]))).toMatchObject({
      spec: { securityPolicy: { name: "" } },
    });
  });
});

describe("without authentication", () => {
  const OPEN = /has no authentication, and this run would make it reachable from the Internet/;
  const armed = backendConfig({ securityPolicy: { name: "milvus-default-x" } });

  test("allowed_ranges is a protection", () => {
    expect(openDoorOf(settings({ allowed_ranges: RANGES }), seeing(policyWith()))).toBeUndefined();
    expect(() => openDoorOf(settings(), seeing(undefined))).toThrow(OPEN);
    expect(() => openDoorOf(settings(), seeing(undefined))).toThrow("allowed_ranges");
  });

  test.each<[string, KubernetesObject]>([
    ["allowed_ranges", armed],
    ["Identity-Aware Proxy", backendConfig({ iap: { enabled: true } })],
  ])("%s is not taken away without consent", (_, live) => {
    expect(() => openDoorOf(settings(), seeing(policyWith(), [INGRESS, live]))).toThrow(OPEN);
    const consent = settings({ allow_anonymous: "true" });
    expect(openDoorOf(consent, seeing(policyWith(), [INGRESS, live]))).toBeUndefined();
  });

  test("a load balancer that admits everybody already is a warning only", () => {
    for (const spec of [{}, { securityPolicy: { name: "" } }]) {
      expect(openDoorOf(settings(), seeing(undefined, [INGRESS, backendConfig(spec)]))).toMatch(
        /^Everybody on the Internet can read, change and delete/,
      );
    }
  });
});
