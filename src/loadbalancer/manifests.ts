import type { Manifest } from "../kubernetes/api.ts";
import type { GrpcPort } from "../milvus/values.ts";
import type { KeyPair } from "./certificate.ts";

/** What the manifests are made from. */
export interface FrontNames {
  namespace: string;
  host: string;
  ingress: string;
  backendConfig: string;
  tlsSecret: string;
  service: string;
}

/**
 * Returns the BackendConfig. Milvus answers health checks on its metrics port only: HTTP /healthz on 9091, whatever
 * its TLS mode. With network endpoint groups the health check's port is the container's.
 */
export function backendConfig(names: FrontNames, timeoutSeconds: number): Manifest & { spec: object } {
  return {
    apiVersion: "cloud.google.com/v1",
    kind: "BackendConfig",
    metadata: { name: names.backendConfig, namespace: names.namespace },
    spec: {
      // Google's default of 30 s cuts longer searches and streams.
      timeoutSec: timeoutSeconds,
      connectionDraining: { drainingTimeoutSec: 60 },
      // Google refuses a timeout that isn't shorter than the interval when only one of them is set.
      healthCheck: {
        type: "HTTP",
        port: 9091,
        requestPath: "/healthz",
        checkIntervalSec: 15,
        timeoutSec: 10,
      },
    },
  };
}

/** Returns the Secret that the load balancer's certificate is read from. */
export function tlsSecret(names: FrontNames, pair: KeyPair): Manifest & { type: string; data: object } {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: names.tlsSecret, namespace: names.namespace },
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64(pair.certificate), "tls.key": base64(pair.privateKey) },
  };
}

/**
 * Returns the Ingress. The class must be the annotation: GKE's controller ignores `ingressClassName: gce` without a
 * word (kubernetes/ingress-gce, pkg/utils IsGCEIngress).
 */
export function ingress(names: FrontNames, port: GrpcPort, allowHttp: boolean): Manifest & { spec: object } {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      name: names.ingress,
      namespace: names.namespace,
      annotations: {
        "kubernetes.io/ingress.class": "gce",
        "kubernetes.io/ingress.allow-http": String(allowHttp),
      },
    },
    spec: {
      tls: [{ hosts: [names.host], secretName: names.tlsSecret }],
      rules: [
        {
          host: names.host,
          http: {
            paths: [
              {
                path: "/",
                pathType: "Prefix",
                backend: { service: { name: names.service, port: { number: port.port } } },
              },
            ],
          },
        },
      ],
    },
  };
}
