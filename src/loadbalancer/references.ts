import { createHash } from "node:crypto";
import * as v from "valibot";
import { parseJson } from "../base/json.ts";
import type { Ingress, ManagedCertificate, Secret, Service } from "../kubernetes/objects.ts";

/** The certificates that an Ingress names, by where they are stored. */
export interface CertificateReferences {
  /** Secrets, in `spec.tls`. */
  secrets: string[];
  /** SSL certificates at Google, in an annotation. It includes those made for ManagedCertificates. */
  preShared: string[];
  /** ManagedCertificates, in an annotation. */
  managed: string[];
}

/** The annotation with which an Ingress names its FrontendConfig. */
export const FRONTEND_CONFIG = "networking.gke.io/v1beta1.FrontendConfig";
/** The annotation with which an Ingress names its ManagedCertificates. */
export const MANAGED_CERTIFICATES = "networking.gke.io/managed-certificates";
/** The annotation with which an Ingress names certificates at Google. */
export const PRE_SHARED_CERTIFICATES = "ingress.gcp.kubernetes.io/pre-shared-cert";
/** Here the ingress controller names the certificates that the load balancer has. */
const SSL_CERTIFICATES = "ingress.kubernetes.io/ssl-cert";

/** Returns the certificates that an Ingress names. */
export function referencesOf(ingress: Ingress | undefined): CertificateReferences {
  const annotations = ingress?.metadata.annotations ?? {};
  return {
    secrets: (ingress?.spec.tls ?? []).flatMap(({ secretName }) => (secretName ? [secretName] : [])),
    preShared: listIn(annotations[PRE_SHARED_CERTIFICATES]),
    managed: listIn(annotations[MANAGED_CERTIFICATES]),
  };
}

/** Returns the other hosts that an Ingress routes to a Service. */
export function otherHostsOf(ingress: Ingress | undefined, host: string, service: string): string[] {
  return (ingress?.spec.rules ?? []).flatMap((rule) => {
    const paths = rule.http?.paths ?? [];
    const isOther = rule.host !== undefined && rule.host !== host;
    const routesToService =
      paths.length > 0 && paths.every(({ backend }) => backend.service?.name === service);
    return isOther && routesToService && rule.host ? [rule.host] : [];
  });
}

/** Annotations of a Service that name BackendConfigs (kubernetes/ingress-gce, pkg/annotations/service.go). */
const BACKEND_CONFIGS = ["cloud.google.com/backend-config", "beta.cloud.google.com/backend-config"];

const BackendConfigs = v.looseObject({
  default: v.optional(v.string()),
  ports: v.optional(v.record(v.string(), v.string()), {}),
});

/**
 * Tells whether an Ingress needs an object, as a certificate or as configuration.
 *
 * @param services the Services of its namespace
 */
export function needs(
  ingress: Ingress,
  { kind, name }: { kind: string; name: string },
  services: readonly Service[],
): boolean {
  const { secrets, managed } = referencesOf(ingress);
  switch (kind) {
    case "Secret":
      // A certificate needs its authority when it is renewed.
      return secrets.some((secret) => secret === name || authoritySecretName(secret) === name);
    case "ManagedCertificate":
      return managed.includes(name);
    case "FrontendConfig":
      return ingress.metadata.annotations[FRONTEND_CONFIG] === name;
    case "BackendConfig": {
      const used = servicesOf(ingress);
      return services.some(
        (service) => used.includes(service.metadata.name) && backendConfigsOf(service).includes(name),
      );
    }
    default:
      return false;
  }
}

/** Returns the names of the Services that an Ingress routes to. */
export function servicesOf({ spec: { defaultBackend, rules } }: Ingress): string[] {
  const paths = rules.flatMap(({ http }) => http?.paths ?? []);
  const backends = [...(defaultBackend ? [defaultBackend] : []), ...paths.map(({ backend }) => backend)];
  return backends.flatMap(({ service }) => (service ? [service.name] : []));
}

function backendConfigsOf({ metadata: { annotations } }: Service): string[] {
  return BACKEND_CONFIGS.flatMap((annotation) => {
    const named = parseJson(BackendConfigs, annotations[annotation]);
    return named ? [...(named.default ? [named.default] : []), ...Object.values(named.ports)] : [];
  });
}

/** Returns the annotations with which an Ingress names its certificates at Google. */
export function certificateAnnotations({
  preShared,
  managed,
}: CertificateReferences): Record<string, string> {
  return {
    ...(managed.length > 0 && { [MANAGED_CERTIFICATES]: managed.join(",") }),
    // The ManagedCertificate controller writes its names here. If there are no others, it owns the
    // annotation.
    ...(preShared.some((name) => managed.length === 0 || !isManagedName(name)) && {
      [PRE_SHARED_CERTIFICATES]: preShared.join(","),
    }),
  };
}

/**
 * Returns the certificates that an Ingress must name until the wanted ones are served. A Google-managed
 * certificate becomes Active only some time after the Ingress names it, so the certificates served until then
 * stay beside it.
 *
 * @param live the certificates that the Ingress names now
 * @returns `wanted` itself if there is nothing to wait for
 */
export function transitionalReferences(
  wanted: CertificateReferences,
  live: CertificateReferences,
  isServed: boolean,
): CertificateReferences {
  if (isServed || wanted.managed.length === 0) return wanted;
  const union = (key: keyof CertificateReferences) => [...new Set([...wanted[key], ...live[key]])];
  // Sorted, as the controller writes it: an equal value causes no server-side apply conflict.
  return { secrets: union("secrets"), preShared: union("preShared").sort(), managed: union("managed") };
}

/**
 * Returns the value of the annotation {@link PRE_SHARED_CERTIFICATES} with only the kept names: null to
 * remove it, undefined if nothing changes. The ManagedCertificate controller never removes a name whose
 * ManagedCertificate still exists, nor one that it doesn't know (GoogleCloudPlatform/gke-managed-certs,
 * pkg/controller/sync).
 */
export function cleanedPreSharedAnnotation(
  ingress: Ingress,
  isKept: (name: string) => boolean,
): string | null | undefined {
  const live = referencesOf(ingress).preShared;
  const kept = live.filter(isKept);
  if (kept.length === live.length) return undefined;
  return kept.length === 0 ? null : kept.join(",");
}

/**
 * Returns the name of the ManagedCertificate for a host.
 *
 * Google recreates a certificate whose domains change, so a new host gets a second name until its certificate
 * is served. A permanently failed certificate is replaced under the second name, too: the controller creates
 * nothing new under a name while the load balancer has its old certificate (gke-managed-certs,
 * pkg/controller/sync).
 *
 * @param existing the ManagedCertificates of the Ingress's namespace
 */
export function managedCertificateName(
  base: string,
  host: string,
  existing: readonly ManagedCertificate[],
): string {
  const other = `${base}-${createHash("sha256").update(host).digest("hex").slice(0, 8)}`;
  const named = (name: string) => existing.find(({ metadata }) => metadata.name === name);
  const isUsable = (certificate: ManagedCertificate) =>
    isFor(certificate, host) && !isPermanentlyFailed(certificate);
  const [first, second] = [named(base), named(other)];
  // Without the first, a usable second one keeps its name.
  return (first ? isUsable(first) : !(second && isUsable(second))) ? base : other;
}

/** Tells whether Google will never issue a certificate: this status is final. */
export function isPermanentlyFailed({ status }: ManagedCertificate): boolean {
  return status.certificateStatus === "ProvisioningFailedPermanently";
}

/** Tells whether {@link managedCertificateName} can return a name. */
export function isNamedAfter(base: string, name: string): boolean {
  return name === base || (name.startsWith(`${base}-`) && /^[0-9a-f]{8}$/.test(name.slice(base.length + 1)));
}

function isFor({ spec }: ManagedCertificate, host: string): boolean {
  return spec.domains.length === 1 && spec.domains[0] === host;
}

/** The certificates that the load balancer must have before it counts as ready. */
export interface RequiredCertificates {
  /** {@link secretHashOf} of a Secret's `tls.crt`; undefined if the certificate is at Google. */
  secretHash: string | undefined;
  /** Names of certificates at Google. */
  preShared: readonly string[];
}

/**
 * Tells whether the load balancer has the certificates. True if the Ingress doesn't show its certificates.
 */
export function presents(ingress: Ingress, { secretHash, preShared }: RequiredCertificates): boolean {
  const names = listIn(ingress.metadata.annotations[SSL_CERTIFICATES]);
  if (names.length === 0) return true;
  const hasSecret = secretHash === undefined || names.some((name) => name.includes(secretHash));
  return hasSecret && preShared.every((name) => names.includes(name));
}

/**
 * Returns the hash in the name that the controller gives a Secret's certificate: of the raw bytes of
 * `tls.crt` (kubernetes/ingress-gce, pkg/translator GetCertHash).
 */
export function secretHashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** Returns {@link secretHashOf} of a Secret's certificate, if it has one. */
export function hashIn({ data: { "tls.crt": certificate } }: Secret): string | undefined {
  return certificate === undefined ? undefined : secretHashOf(Buffer.from(certificate, "base64"));
}

/** Returns the name of the Secret with the authority that signs the certificate of `tls_secret`. */
export function authoritySecretName(tlsSecret: string): string {
  return `${tlsSecret}-ca`;
}

/** Tells whether the ManagedCertificate controller made a name (gke-managed-certs, pkg/utils/random). */
export function isManagedName(name: string): boolean {
  return name.startsWith("mcrt-");
}

function listIn(annotation: string | undefined): string[] {
  return (annotation ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
