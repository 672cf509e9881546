import { createHash } from "node:crypto";
import * as v from "valibot";
import { parseJson } from "../base/json.ts";
import type { Ingress, ManagedCertificate, Service } from "../kubernetes/objects.ts";

/** The certificates that an Ingress presents, by where they are. */
export interface CertificateReferences {
  /** Secrets, in `spec.tls`. */
  secrets: string[];
  /** SSL certificates at Google, in an annotation; those that ManagedCertificates stand for among them. */
  preShared: string[];
  /** ManagedCertificates, in an annotation. */
  managed: string[];
}

/** The annotation with which an Ingress names its FrontendConfig. */
export const FRONTEND_CONFIG = "networking.gke.io/v1beta1.FrontendConfig";
export const MANAGED_CERTIFICATES = "networking.gke.io/managed-certificates";
export const PRE_SHARED_CERTIFICATES = "ingress.gcp.kubernetes.io/pre-shared-cert";
/** The certificates that the load balancer has, as the ingress controller writes them down. */
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

/** Returns the hosts beside this one for which an Ingress leads to a Service. */
export function otherHostsOf(ingress: Ingress | undefined, host: string, service: string): string[] {
  return (ingress?.spec.rules ?? []).flatMap((rule) => {
    const paths = rule.http?.paths ?? [];
    const isOther = rule.host !== undefined && rule.host !== host;
    const leadsThere = paths.length > 0 && paths.every(({ backend }) => backend.service?.name === service);
    return isOther && leadsThere && rule.host ? [rule.host] : [];
  });
}

/** Annotations of a Service that name BackendConfigs (kubernetes/ingress-gce, pkg/annotations/service.go). */
const BACKEND_CONFIGS = ["cloud.google.com/backend-config", "beta.cloud.google.com/backend-config"];

const BackendConfigs = v.looseObject({
  default: v.optional(v.string()),
  ports: v.optional(v.record(v.string(), v.string()), {}),
});

/**
 * Tells whether an Ingress needs an object: presents it as a certificate, or is configured by it.
 *
 * @param services those of its namespace
 */
export function needs(
  ingress: Ingress,
  { kind, name }: { kind: string; name: string },
  services: readonly Service[],
): boolean {
  const { secrets, managed } = referencesOf(ingress);
  switch (kind) {
    case "Secret":
      return secrets.includes(name);
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

/** Returns the names of the Services that an Ingress leads to. */
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

/** Returns the annotations with which an Ingress names its certificates. */
export function certificateAnnotations({
  preShared,
  managed,
}: CertificateReferences): Record<string, string> {
  return {
    ...(managed.length > 0 && { [MANAGED_CERTIFICATES]: managed.join(",") }),
    // Beside ManagedCertificates Google's controller keeps its own names there: as long as there are no others the
    // annotation is its alone.
    ...(preShared.some((name) => managed.length === 0 || !isManagedName(name)) && {
      [PRE_SHARED_CERTIFICATES]: preShared.join(","),
    }),
  };
}

/**
 * Returns what an Ingress must name until the wanted certificates are served. A certificate of Google's becomes Active
 * only some time after the load balancer names it: what is served until then stays beside it.
 *
 * @param live what the Ingress names now
 * @returns `wanted` itself when there is nothing to wait for
 */
export function transitionalReferences(
  wanted: CertificateReferences,
  live: CertificateReferences,
  isServed: boolean,
): CertificateReferences {
  if (isServed || wanted.managed.length === 0) return wanted;
  const union = (key: keyof CertificateReferences) => [...new Set([...wanted[key], ...live[key]])];
  // Sorted, as Google's controller writes it: an equal value is no conflict.
  return { secrets: union("secrets"), preShared: union("preShared").sort(), managed: union("managed") };
}

/**
 * Returns the value that the annotation with the certificates at Google must have to name only those that are kept,
 * undefined while it does. Google's controller never removes a name from it whose ManagedCertificate lives on, nor one
 * that it doesn't know (GoogleCloudPlatform/gke-managed-certs, pkg/controller/sync).
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
 * Returns the name of the ManagedCertificate for a host. A certificate whose domains change is made anew, so another
 * host has another one beside it until that is served. So has one that Google has given up: its controller makes
 * nothing new of that name as long as the load balancer has the old one (gke-managed-certs, pkg/controller/sync).
 *
 * @param existing those in the Ingress's namespace
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
  // The other one stays when the first, of a former host, is gone.
  return (first ? isUsable(first) : !(second && isUsable(second))) ? base : other;
}

/** Tells whether Google will never issue a certificate, whatever is mended. */
export function isPermanentlyFailed({ status }: ManagedCertificate): boolean {
  return status.certificateStatus === "ProvisioningFailedPermanently";
}

/** Tells whether a ManagedCertificate is one of those that {@link managedCertificateName} names. */
export function isNamedAfter(base: string, name: string): boolean {
  return name === base || (name.startsWith(`${base}-`) && /^[0-9a-f]{8}$/.test(name.slice(base.length + 1)));
}

function isFor({ spec }: ManagedCertificate, host: string): boolean {
  return spec.domains.length === 1 && spec.domains[0] === host;
}

/** What a load balancer must have before it can be said to present what it is to. */
export interface RequiredCertificates {
  /** {@link secretHashOf} of what a Secret has in `tls.crt`; undefined when the certificate is at Google. */
  secretHash: string | undefined;
  /** Names of certificates at Google. */
  preShared: readonly string[];
}

/**
 * Tells whether the load balancer has the certificates. Where it says nothing of certificates there is nothing to tell.
 */
export function presents(ingress: Ingress, { secretHash, preShared }: RequiredCertificates): boolean {
  const names = listIn(ingress.metadata.annotations[SSL_CERTIFICATES]);
  if (names.length === 0) return true;
  const hasSecret = secretHash === undefined || names.some((name) => name.includes(secretHash));
  return hasSecret && preShared.every((name) => names.includes(name));
}

/**
 * Returns what the controller names a Secret's certificate after: a hash of the bytes of `tls.crt`, whatever they are
 * (kubernetes/ingress-gce, pkg/translator GetCertHash).
 */
export function secretHashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** Tells a name that Google's managed-certificate controller gives (gke-managed-certs, pkg/utils/random). */
export function isManagedName(name: string): boolean {
  return name.startsWith("mcrt-");
}

function listIn(annotation: string | undefined): string[] {
  return (annotation ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
