import type { YamlMap } from "../base/yaml.ts";
import type { Manifest } from "../kubernetes/api.ts";
import type { GrpcPort } from "../milvus/grpc-port.ts";
import { backendConfigSpec } from "./backend-config.ts";
import type { KeyPair } from "./certificate.ts";
import {
  KEPT,
  type KeptIngress,
  type KeptMetadata,
  type KeptSecret,
  type KeptSpec,
  NOTHING_KEPT,
} from "./kept.ts";
import { type CertificateReferences, certificateAnnotations, FRONTEND_CONFIG } from "./references.ts";
import type { LoadBalancerSettings } from "./settings.ts";

/** The names that the manifests use. */
export interface LoadBalancerNames {
  namespace: string;
  host: string;
  ingress: string;
  backendConfig: string;
  frontendConfig: string;
  /** The class that makes the Ingress that of Google's controller. */
  ingressClass: string;
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
/** Returns the class of Google's controller for a kind of load balancer. */
export function ingressClassOf(loadBalancer: LoadBalancerSettings["loadBalancer"]): string {
  return loadBalancer === "internal" ? "gce-internal" : "gce";
}

/** The annotation that opens port 80, or closes it. */
export const ALLOW_HTTP = "kubernetes.io/ingress.allow-http";
/** The annotations that name an Ingress's reserved address. */
export const STATIC_ADDRESS = {
  external: "kubernetes.io/ingress.global-static-ip-name",
  internal: "kubernetes.io/ingress.regional-static-ip-name",
};

/** Returns the BackendConfig: Milvus's health check, time limits, and what the input backend_config says. */
export function backendConfigManifest(
  names: LoadBalancerNames,
  settings: LoadBalancerSettings,
  kept: KeptSpec = NOTHING_KEPT.backendConfig,
): Manifest & { spec: object } {
  return {
    apiVersion: "cloud.google.com/v1",
    kind: "BackendConfig",
    metadata: { name: names.backendConfig, namespace: names.namespace, ...keptMetadata(kept) },
    spec: backendConfigSpec(settings.backendTimeoutSeconds, settings.backendConfig),
  };
}

/** Returns the FrontendConfig of the input frontend_config. */
export function frontendConfigManifest(names: LoadBalancerNames, spec: YamlMap): Manifest & { spec: object } {
  return {
    apiVersion: "networking.gke.io/v1beta1",
    kind: "FrontendConfig",
    metadata: { name: names.frontendConfig, namespace: names.namespace },
    spec,
  };
}

/** Returns the Secret with a certificate and its key. */
export function tlsSecretManifest(
  namespace: string,
  name: string,
  pair: KeyPair,
  { names, data, type = "kubernetes.io/tls" }: KeptSecret = NOTHING_KEPT.secret,
): Manifest & { type: string; data: object } {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, ...keptMetadata({ names, annotations: {}, labels: {} }) },
    type,
    data: { ...data, "tls.crt": base64(pair.certificate), "tls.key": base64(pair.privateKey) },
  };
}

/** Returns the ManagedCertificate for the host. */
export function managedCertificateManifest(
  names: LoadBalancerNames,
  name: string,
): Manifest & { spec: object } {
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
 * @param kept what stays of an Ingress that somebody else made
 */
export function ingressManifest(
  names: LoadBalancerNames,
  port: GrpcPort,
  settings: LoadBalancerSettings,
  certificates: CertificateReferences,
  formerHosts: readonly string[] = [],
  kept: KeptIngress = NOTHING_KEPT.ingress,
): Manifest & { spec: object } {
  const { loadBalancer, staticIpName } = settings;
  const ownTls = certificates.secrets
    .filter((secretName) => !kept.certificates.secrets.includes(secretName))
    .map((secretName) => ({ hosts: [names.host], secretName }));
  // The first certificate is presented to clients that name no host.
  const tls = [...kept.tls, ...ownTls];
  const { annotations, labels } = keptMetadata(kept);
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      name: names.ingress,
      namespace: names.namespace,
      ...(labels && { labels }),
      annotations: {
        ...annotations,
        [INGRESS_CLASS]: names.ingressClass,
        [ALLOW_HTTP]: String(settings.allowHttp),
        ...(staticIpName && { [STATIC_ADDRESS[loadBalancer]]: staticIpName }),
        ...(settings.frontendConfig && {
          [FRONTEND_CONFIG]: names.frontendConfig,
        }),
        ...certificateAnnotations(certificates),
      },
    },
    spec: {
      ...(kept.defaultBackend && { defaultBackend: kept.defaultBackend }),
      ...(tls.length > 0 && { tls }),
      rules: [
        ...[names.host, ...formerHosts].map((host) => ({
          host,
          http: {
            paths: [
              {
                path: "/",
                pathType: "Prefix",
                backend: { service: { name: names.service, port: { number: port.port } } },
              },
              ...(host === names.host ? kept.paths : []),
            ],
          },
        })),
        ...kept.rules,
      ],
    },
  };
}

/** Returns the metadata that stays, with the note of all that stays. */
function keptMetadata({
  names,
  annotations,
  labels,
}: Pick<KeptMetadata, "names" | "annotations" | "labels">): Partial<Manifest["metadata"]> {
  return {
    ...(names.length > 0 && { annotations: { ...annotations, [KEPT]: names.join(",") } }),
    ...(Object.keys(labels).length > 0 && { labels }),
  };
}
