import type { YamlMap } from "../base/yaml.ts";
import type { Manifest } from "../kubernetes/api.ts";
import type { GrpcPort } from "../milvus/grpc-port.ts";
import { backendConfigSpec } from "./backend-config.ts";
import type { KeyPair } from "./certificate.ts";
import { type CertificateReferences, certificateAnnotations, FRONTEND_CONFIG } from "./references.ts";
import type { LoadBalancerSettings } from "./settings.ts";

/** The names that the manifests use. */
export interface LoadBalancerNames {
  namespace: string;
  host: string;
  ingress: string;
  backendConfig: string;
  frontendConfig: string;
  /** The Secret with the certificate; undefined if the certificate is at Google. */
  tlsSecret: string | undefined;
  /** The Secret with the authority of a certificate that this action makes; undefined for any other. */
  authoritySecret: string | undefined;
  /** Undefined unless the certificate is Google-managed. */
  managedCertificate: string | undefined;
  service: string;
}

/** The annotation that names the controller of an Ingress. */
export const INGRESS_CLASS = "kubernetes.io/ingress.class";

export function backendConfig(
  names: LoadBalancerNames,
  settings: LoadBalancerSettings,
): Manifest & { spec: object } {
  return {
    apiVersion: "cloud.google.com/v1",
    kind: "BackendConfig",
    metadata: { name: names.backendConfig, namespace: names.namespace },
    spec: backendConfigSpec(settings.backendTimeoutSeconds, settings.backendConfig),
  };
}

export function frontendConfig(names: LoadBalancerNames, spec: YamlMap): Manifest & { spec: object } {
  return {
    apiVersion: "networking.gke.io/v1beta1",
    kind: "FrontendConfig",
    metadata: { name: names.frontendConfig, namespace: names.namespace },
    spec,
  };
}

export function tlsSecret(
  namespace: string,
  name: string,
  pair: KeyPair,
): Manifest & { type: string; data: object } {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace },
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64(pair.certificate), "tls.key": base64(pair.privateKey) },
  };
}

export function managedCertificate(names: LoadBalancerNames, name: string): Manifest & { spec: object } {
  return {
    apiVersion: "networking.gke.io/v1",
    kind: "ManagedCertificate",
    metadata: { name, namespace: names.namespace },
    spec: { domains: [names.host] },
  };
}

/**
 * Returns the Ingress. The class must be an annotation: GKE's controller silently ignores `ingressClassName:
 * gce` (kubernetes/ingress-gce, pkg/utils IsGCEIngress).
 *
 * @param certificates the certificates that it presents
 * @param formerHosts other hosts that it also routes to Milvus
 */
export function ingress(
  names: LoadBalancerNames,
  port: GrpcPort,
  settings: LoadBalancerSettings,
  certificates: CertificateReferences,
  formerHosts: readonly string[] = [],
): Manifest & { spec: object } {
  const isInternal = settings.loadBalancer === "internal";
  const address = `kubernetes.io/ingress.${isInternal ? "regional" : "global"}-static-ip-name`;
  const tls = certificates.secrets.map((secretName) => ({ hosts: [names.host], secretName }));
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      name: names.ingress,
      namespace: names.namespace,
      annotations: {
        [INGRESS_CLASS]: isInternal ? "gce-internal" : "gce",
        "kubernetes.io/ingress.allow-http": String(settings.allowHttp),
        ...(settings.staticIpName && { [address]: settings.staticIpName }),
        ...(settings.frontendConfig && {
          [FRONTEND_CONFIG]: names.frontendConfig,
        }),
        ...certificateAnnotations(certificates),
      },
    },
    spec: {
      ...(tls.length > 0 && { tls }),
      rules: [names.host, ...formerHosts].map((host) => ({
        host,
        http: {
          paths: [
            {
              path: "/",
              pathType: "Prefix",
              backend: { service: { name: names.service, port: { number: port.port } } },
            },
          ],
        },
      })),
    },
  };
}
