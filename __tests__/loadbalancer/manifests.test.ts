import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMap, type YamlMap } from "../../src/base/yaml.ts";
import { mergeValues, valueAt } from "../../src/helm/values.ts";
import { backendConfigSpec } from "../../src/loadbalancer/backend-config.ts";
import {
  backendConfigManifest,
  frontendConfigManifest,
  ingressManifest,
  type LoadBalancerNames,
  managedCertificateManifest,
  tlsSecretManifest,
} from "../../src/loadbalancer/manifests.ts";
import type { CertificateReferences } from "../../src/loadbalancer/references.ts";
import { settings } from "../support/observed.ts";

const NAMES: LoadBalancerNames = {
  namespace: "ns",
  host: "my-release.milvus.io",
  ingress: "i",
  backendConfig: "b",
  frontendConfig: "f",
  ingressClass: "gce",
  tlsSecret: "t",
  authoritySecret: "t-ca",
  managedCertificate: undefined,
  service: "my-release-milvus",
};
const PORT = { name: "milvus", port: 19530 };
const SECRET: CertificateReferences = { secrets: ["t"], preShared: [], managed: [] };

describe("the BackendConfig", () => {
  test("checks Milvus's metrics port, allows long calls and lets removed pods finish", () => {
    expect(backendConfigManifest(NAMES, settings())).toEqual({
      apiVersion: "cloud.google.com/v1",
      kind: "BackendConfig",
      metadata: { name: "b", namespace: "ns" },
      spec: {
        timeoutSec: 3600,
        connectionDraining: { drainingTimeoutSec: 60 },
        healthCheck: {
          type: "HTTP",
          port: 9091,
          requestPath: "/healthz",
          timeoutSec: 10,
          checkIntervalSec: 15,
        },
      },
    });
  });

  test("has the limit of request_timeout and the fields of backend_config", () => {
    const inputs = { request_timeout: "90s", backend_config: "securityPolicy: {name: armor}" };
    expect(backendConfigManifest(NAMES, settings(inputs))).toMatchObject({
      spec: { timeoutSec: 90, securityPolicy: { name: "armor" }, healthCheck: { port: 9091 } },
    });
  });

  const healthCheck = (overlay: YamlMap) => backendConfigSpec(3600, overlay).healthCheck;
  test.each<[string, YamlMap, YamlMap]>([
    ["an interval above ours", { checkIntervalSec: 60 }, { checkIntervalSec: 60, timeoutSec: 10 }],
    ["an interval below our timeout", { checkIntervalSec: 8 }, { checkIntervalSec: 8, timeoutSec: 7 }],
    ["the shortest interval", { checkIntervalSec: 1 }, { checkIntervalSec: 1, timeoutSec: 1 }],
    ["a timeout", { timeoutSec: 3 }, { checkIntervalSec: 15, timeoutSec: 3 }],
    ["both", { checkIntervalSec: 5, timeoutSec: 5 }, { checkIntervalSec: 5, timeoutSec: 5 }],
    ["thresholds", { healthyThreshold: 1 }, { healthyThreshold: 1, port: 9091, requestPath: "/healthz" }],
  ])("a health check with %s has a timeout that Google accepts", (_, overlay, expected) => {
    expect(healthCheck({ healthCheck: overlay })).toMatchObject(expected);
  });

  test("never has a timeout above the interval", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), (checkIntervalSec) => {
        const { timeoutSec } = healthCheck({ healthCheck: { checkIntervalSec } });
        return typeof timeoutSec === "number" && timeoutSec >= 1 && timeoutSec <= checkIntervalSec;
      }),
    );
  });

  const field = fc.constantFrom("name", "enable", "checkIntervalSec", "timeoutSec", "port", "other");
  const scalar = fc.oneof(fc.integer({ min: 1, max: 999 }), fc.boolean(), fc.string());
  const map = fc.dictionary(field, fc.oneof(scalar, fc.array(scalar), fc.dictionary(field, scalar)));
  const overlays = fc.record(
    {
      timeoutSec: fc.integer({ min: 1 }),
      connectionDraining: map,
      healthCheck: map,
      cdn: map,
      logging: map,
      securityPolicy: map,
      iap: map,
      "no field of a BackendConfig": scalar,
    },
    { requiredKeys: [] },
  );

  test("keeps every field of backend_config and our values for the others", () => {
    fc.assert(
      fc.property(overlays, (overlay) => {
        const spec = backendConfigSpec(3600, overlay);
        for (const { path, value } of leaves(overlay)) expect(valueAt(spec, ...path)).toEqual(value);
        for (const { path, value } of leaves(backendConfigSpec(3600, {}))) {
          // The health check's timeout goes by the interval: above.
          if (path.join(".") !== "healthCheck.timeoutSec" && !touches(overlay, path))
            expect(valueAt(spec, ...path)).toEqual(value);
        }
      }),
    );
  });

  test("is the same if backend_config is applied twice", () => {
    fc.assert(
      fc.property(overlays, (overlay) => {
        const spec = backendConfigSpec(3600, overlay);
        expect(mergeValues(spec, overlay)).toEqual(spec);
        expect(backendConfigSpec(3600, { ...spec })).toEqual(spec);
      }),
    );
  });
});

test("the FrontendConfig has the spec from the inputs", () => {
  const spec = { sslPolicy: "modern", redirectToHttps: { enabled: true } };
  expect(frontendConfigManifest(NAMES, spec)).toEqual({
    apiVersion: "networking.gke.io/v1beta1",
    kind: "FrontendConfig",
    metadata: { name: "f", namespace: "ns" },
    spec,
  });
});

test("the Secret has the type kubernetes.io/tls and base64 data", () => {
  const secret = tlsSecretManifest("ns", "t", { certificate: "ü\n", privateKey: "key" });
  expect(secret).toEqual({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "t", namespace: "ns" },
    type: "kubernetes.io/tls",
    data: { "tls.crt": "w7wK", "tls.key": "a2V5" },
  });
});

test("the ManagedCertificate names only the host", () => {
  expect(managedCertificateManifest(NAMES, "m")).toEqual({
    apiVersion: "networking.gke.io/v1",
    kind: "ManagedCertificate",
    metadata: { name: "m", namespace: "ns" },
    spec: { domains: ["my-release.milvus.io"] },
  });
});

describe("the Ingress", () => {
  const annotations = (inputs: Record<string, string>, certificates: CertificateReferences = SECRET) =>
    ingressManifest(NAMES, PORT, settings(inputs), certificates).metadata.annotations;
  const CLASS = { "kubernetes.io/ingress.class": "gce", "kubernetes.io/ingress.allow-http": "false" };

  test.each<[string, Record<string, string>, Record<string, string>]>([
    ["its class where GKE looks for it", {}, CLASS],
    ["allow-http as text", { allow_http: "true" }, { ...CLASS, "kubernetes.io/ingress.allow-http": "true" }],
    [
      "a global address",
      { static_ip_name: "a" },
      { ...CLASS, "kubernetes.io/ingress.global-static-ip-name": "a" },
    ],
    [
      "an internal one's regional address",
      { load_balancer: "internal", static_ip_name: "a" },
      { ...CLASS, "kubernetes.io/ingress.regional-static-ip-name": "a" },
    ],
    [
      "a FrontendConfig",
      { frontend_config: "sslPolicy: modern" },
      { ...CLASS, "networking.gke.io/v1beta1.FrontendConfig": "f" },
    ],
  ])("names %s, and nothing else", (_, inputs, expected) => {
    expect(annotations(inputs)).toEqual(expected);
  });

  const MANAGED = "networking.gke.io/managed-certificates";
  const PRE_SHARED = "ingress.gcp.kubernetes.io/pre-shared-cert";
  test.each<[string, Partial<CertificateReferences>, string[] | undefined, Record<string, string>]>([
    ["a Secret", { secrets: ["t"] }, ["t"], {}],
    ["a ManagedCertificate", { managed: ["m"] }, undefined, { [MANAGED]: "m" }],
    ["certificates at Google", { preShared: ["a", "b"] }, undefined, { [PRE_SHARED]: "a,b" }],
    [
      "one at Google that a ManagedCertificate of somebody else's stands for",
      { preShared: ["mcrt-1"] },
      undefined,
      { [PRE_SHARED]: "mcrt-1" },
    ],
    [
      "a ManagedCertificate whose annotation at Google is the controller's alone",
      { managed: ["m"], preShared: ["mcrt-1"] },
      undefined,
      { [MANAGED]: "m" },
    ],
    [
      "all of them, on the way from one to another",
      { secrets: ["t"], managed: ["m", "n"], preShared: ["a", "mcrt-1"] },
      ["t"],
      { [MANAGED]: "m,n", [PRE_SHARED]: "a,mcrt-1" },
    ],
  ])("presents %s", (_, certificates, secrets, expected) => {
    const manifest = ingressManifest(NAMES, PORT, settings(), {
      secrets: [],
      preShared: [],
      managed: [],
      ...certificates,
    });
    expect(manifest.metadata.annotations).toEqual({ ...CLASS, ...expected });
    const tls = secrets?.map((secretName) => ({ hosts: ["my-release.milvus.io"], secretName }));
    expect(valueAt({ ...manifest.spec }, "tls")).toEqual(tls);
  });

  test("routes only the host, to the gRPC port", () => {
    const manifest = ingressManifest(NAMES, { name: "grpc", port: 8443 }, settings(), SECRET);
    expect(manifest).toEqual({
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: "i", namespace: "ns", annotations: CLASS },
      spec: {
        tls: [{ hosts: ["my-release.milvus.io"], secretName: "t" }],
        rules: [
          {
            host: "my-release.milvus.io",
            http: {
              paths: [
                {
                  path: "/",
                  pathType: "Prefix",
                  backend: { service: { name: "my-release-milvus", port: { number: 8443 } } },
                },
              ],
            },
          },
        ],
      },
    });
  });
});

function leaves(value: unknown, path: string[] = []): { path: string[]; value: unknown }[] {
  if (!isMap(value)) return [{ path, value }];
  return Object.entries(value).flatMap(([key, below]) => leaves(below, [...path, key]));
}

/** Whether `overlay` says anything about `path`. */
function touches(overlay: YamlMap, path: string[]): boolean {
  return path.every((_, index) => {
    const above = index === 0 ? overlay : valueAt(overlay, ...path.slice(0, index));
    return !isMap(above) || Object.hasOwn(above, path[index] ?? "");
  });
}
