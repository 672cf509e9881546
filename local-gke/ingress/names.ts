import { createHash } from "node:crypto";

/** The parts of resource names that identify a cluster. */
export interface ClusterIds {
  /** UID of the namespace kube-system. */
  uid: string;
  /** In names of frontends (`k8s2-...`): 8 characters. */
  frontend: string;
  /** In names of backends: 16 characters (`k8s-be-...`), or the first 8 (`k8s1-...`). */
  backend: string;
}

/** Names of the Google resources of one Ingress. */
export interface FrontendNames {
  loadBalancer: string;
  urlMap: string;
  /** The URL map that redirects HTTP to HTTPS. */
  redirectUrlMap: string;
  httpProxy: string;
  httpsProxy: string;
  httpForwardingRule: string;
  httpsForwardingRule: string;
  /** Prefix of the certificates from Secrets. */
  certificatePrefix: string;
}

// A resource name has at most 63 characters. Its fixed parts leave this much.
const FRONTEND_LABELS = 36;
const NEG_LABELS = 38;

/**
 * Returns the ids of a cluster in names of resources at Google. All follow from the UID of its kube-system.
 */
export function clusterIds(kubeSystemUid: string): ClusterIds {
  return { uid: kubeSystemUid, frontend: base36(kubeSystemUid, 8), backend: hex(kubeSystemUid, 16) };
}

/**
 * The names of an Ingress's frontend resources. They follow ingress-gce's naming scheme V2, whose last part
 * hashes the full UID (pkg/utils/namer/frontendnamer.go).
 */
export function frontendNames(ids: ClusterIds, namespace: string, ingress: string): FrontendNames {
  const labels = trimEvenly(FRONTEND_LABELS, [namespace, ingress]).join("-");
  const loadBalancer = `${ids.frontend}-${labels}-${base36(`${ids.uid};${namespace};${ingress}`, 8)}`;
  return {
    loadBalancer,
    urlMap: `k8s2-um-${loadBalancer}`,
    redirectUrlMap: `k8s2-rm-${loadBalancer}`,
    httpProxy: `k8s2-tp-${loadBalancer}`,
    httpsProxy: `k8s2-ts-${loadBalancer}`,
    httpForwardingRule: `k8s2-fr-${loadBalancer}`,
    httpsForwardingRule: `k8s2-fs-${loadBalancer}`,
    certificatePrefix: `k8s2-cr-${ids.frontend}-${base36(loadBalancer, 16)}-`,
  };
}

/** The name of a certificate from a Secret. Its last part is a hash of the certificate. */
export function certificateName({ certificatePrefix }: FrontendNames, certificatePem: string): string {
  return certificatePrefix + hex(certificatePem, 16);
}

/** The name of a NEG and of its backend service. */
export function negName(ids: ClusterIds, namespace: string, service: string, port: number): string {
  const uid = ids.backend.slice(0, 8);
  const labels = trimEvenly(NEG_LABELS, [namespace, service, String(port)]).join("-");
  return `k8s1-${uid}-${labels}-${hex(`${uid};${namespace};${service};${port}`, 8)}`;
}

/** The name of a backend service that uses a node port instead of a NEG. */
export function nodePortBackendName(ids: ClusterIds, nodePort: number): string {
  return `k8s-be-${nodePort}--${ids.backend}`;
}

/** Shortens the fields in proportion to their lengths to at most `max` characters in total. */
export function trimEvenly(max: number, fields: string[]): string[] {
  const total = fields.reduce((sum, field) => sum + field.length, 0);
  if (total <= max) return fields;
  const lengths = fields.map((field) => Math.floor((field.length * max) / total));
  let spare = max - lengths.reduce((sum, length) => sum + length, 0);
  return fields.map((field, index) => {
    const length = (lengths[index] ?? 0) + (spare > 0 ? 1 : 0);
    spare -= 1;
    return field.slice(0, length);
  });
}

function hex(text: string, length: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, length);
}

function base36(text: string, length: number): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, length);
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join("");
}
