import * as v from "valibot";
import { parseJson } from "../base/json.ts";
import type { Ingress, Service } from "../kubernetes/objects.ts";
import { isManagedName } from "./managed-certificates.ts";

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

/** Returns the name of the Secret with the authority that signs the certificate of `tls_secret`. */
export function authoritySecretName(tlsSecret: string): string {
  return `${tlsSecret}-ca`;
}

/** Returns the names in an annotation that lists them with commas. */
export function listIn(annotation: string | undefined): string[] {
  return (annotation ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
