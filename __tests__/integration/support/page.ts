import { X509Certificate } from "node:crypto";
import { expect } from "vitest";
import type { ApiObject, Kind } from "./api-reader.ts";
import { HOST, type TestCluster } from "./cluster.ts";
import { BACKEND_CONFIG, CERTIFICATE, FIELD_MANAGER, INGRESS, SERVICE } from "./names.ts";

export const OBJECTS = { Ingress: INGRESS, BackendConfig: BACKEND_CONFIG, Secret: CERTIFICATE };
export const MANAGED_CERTIFICATES = "networking.gke.io/managed-certificates";
/** What `kubectl apply` leaves on an object. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The Ingress that Milvus's page has its readers make. */
export const ingressOfThePage = (namespace: string, metadata: object, spec: object) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: { name: INGRESS, namespace, ...metadata },
  spec: {
    rules: [
      {
        host: HOST,
        http: {
          paths: [
            {
              path: "/",
              pathType: "Prefix",
              backend: { service: { name: SERVICE, port: { number: 19530 } } },
            },
          ],
        },
      },
    ],
    ...spec,
  },
});

export const backendConfig = (namespace: string, spec: object) => ({
  apiVersion: "cloud.google.com/v1",
  kind: "BackendConfig",
  metadata: { name: BACKEND_CONFIG, namespace },
  spec,
});

export function managersOf({ metadata }: ApiObject): string[] {
  return metadata.managedFields.map(({ manager }) => manager);
}

/** Expects that all objects of the load balancer are this action's, and as it would have made it itself. */
export async function expectAdopted(cluster: TestCluster, namespace: string): Promise<void> {
  const read = (kind: Kind, name: string) => cluster.get(namespace, kind, name);
  const ingress = await read("Ingress", INGRESS);
  const backend = await read("BackendConfig", BACKEND_CONFIG);
  const secret = await read("Secret", CERTIFICATE);
  const service = await read("Service", SERVICE);
  for (const object of [ingress, backend, secret]) {
    expect(managersOf(object)).toContain(FIELD_MANAGER);
    expect(managersOf(object)).not.toContainEqual(expect.stringMatching(/^(kubectl|before-first-apply)/));
    expect(object.metadata.annotations ?? {}).not.toHaveProperty([LAST_APPLIED]);
  }
  expect(ingress.metadata.annotations).toMatchObject({
    "kubernetes.io/ingress.class": "gce",
    "kubernetes.io/ingress.allow-http": "false",
  });
  expect(ingress.metadata.annotations).not.toHaveProperty([MANAGED_CERTIFICATES]);
  expect(ingress.metadata.annotations).not.toHaveProperty(["ingress.gcp.kubernetes.io/pre-shared-cert"]);
  expect(ingress.spec).toMatchObject({ tls: [{ hosts: [HOST], secretName: CERTIFICATE }] });
  expect(backend.spec).toMatchObject({
    timeoutSec: 3600,
    healthCheck: { type: "HTTP", port: 9091, requestPath: "/healthz", checkIntervalSec: 15 },
  });
  const pem = Buffer.from(secret.data?.["tls.crt"] ?? "", "base64");
  expect(new X509Certificate(pem).subjectAltName).toBe(`DNS:${HOST}`);
  expect(service.metadata.annotations).toMatchObject({
    "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}',
    "cloud.google.com/backend-config": `{"default":"${BACKEND_CONFIG}"}`,
    "cloud.google.com/neg": '{"ingress":true}',
  });
}
