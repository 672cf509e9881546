import { expect, test } from "vitest";
import { backendConfig, ingress, tlsSecret } from "../../src/loadbalancer/manifests.ts";

const NAMES = {
  namespace: "ns",
  host: "my-release.milvus.io",
  ingress: "i",
  backendConfig: "b",
  tlsSecret: "t",
  service: "my-release-milvus",
};

test("the BackendConfig checks Milvus's metrics port and lets long calls be", () => {
  expect(backendConfig(NAMES, 3600)).toMatchObject({
    apiVersion: "cloud.google.com/v1",
    kind: "BackendConfig",
    metadata: { name: "b", namespace: "ns" },
    spec: { timeoutSec: 3600, healthCheck: { type: "HTTP", port: 9091, requestPath: "/healthz" } },
  });
});

test("Google wants a health check's timeout below its interval, and both set", () => {
  expect(backendConfig(NAMES, 30)).toHaveProperty("spec.healthCheck.timeoutSec", 10);
  expect(backendConfig(NAMES, 30)).toHaveProperty("spec.healthCheck.checkIntervalSec", 15);
});

test("the Secret is of the type that the controller reads, in base64", () => {
  const secret = tlsSecret(NAMES, { certificate: "ü\n", privateKey: "key" });
  expect(secret).toMatchObject({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "t", namespace: "ns" },
  });
  expect(secret).toMatchObject({ type: "kubernetes.io/tls", data: { "tls.crt": "w7wK", "tls.key": "a2V5" } });
});

test.each([
  [false, "false"],
  [true, "true"],
])("the Ingress names its class where GKE looks for it, and allow-http as text (%s)", (allowHttp, text) => {
  const manifest = ingress(NAMES, { name: "milvus", port: 19530 }, allowHttp);
  expect(manifest).toMatchObject({
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      name: "i",
      namespace: "ns",
      annotations: { "kubernetes.io/ingress.class": "gce", "kubernetes.io/ingress.allow-http": text },
    },
    spec: { tls: [{ hosts: ["my-release.milvus.io"], secretName: "t" }] },
  });
  expect(manifest).not.toHaveProperty("spec.ingressClassName");
});

test("the Ingress routes the host, and nothing else, to the gRPC port", () => {
  expect(ingress(NAMES, { name: "grpc", port: 8443 }, false)).toHaveProperty("spec.rules", [
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
  ]);
});
