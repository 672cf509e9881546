import type { V1Ingress, V1Service } from "@kubernetes/client-node";
import type { BackendService } from "../cloud.ts";
import { parseGoJson } from "./go-json.ts";

export type Protocol = BackendService["protocol"];

export const FINALIZER = "networking.gke.io/ingress-finalizer-V2";
export const NEG_STATUS = "cloud.google.com/neg-status";
/** Prefix of what the ingress controller writes on an Ingress. */
export const STATUS_PREFIX = "ingress.kubernetes.io/";

/** Names of certificates that exist at Google; also written by the managed-certificate controller. */
export const PRE_SHARED_CERTIFICATES = "ingress.gcp.kubernetes.io/pre-shared-cert";

const CLASS = "kubernetes.io/ingress.class";
const PROTOCOLS: readonly string[] = ["HTTP", "HTTPS", "HTTP2"] satisfies Protocol[];

/** The class that an Ingress names or, when it names none at all, Google's own; undefined: another controller's. */
export function googleClass(ingress: V1Ingress): "gce" | "gce-internal" | undefined {
  const name = annotation(ingress, CLASS);
  // spec.ingressClassName is honoured only as a reason to leave an Ingress alone.
  if (name === undefined || name === "")
    return ingress.spec?.ingressClassName === undefined ? "gce" : undefined;
  return name === "gce" || name === "gce-internal" ? name : undefined;
}

/** Whether an Ingress asks for an internal load balancer: all that belongs to it is in the cluster's region. */
export function isInternal(ingress: V1Ingress): boolean {
  return googleClass(ingress) === "gce-internal";
}

/** Whether port 80 is to be served: yes unless the annotation says false in one of Go's spellings. */
export function allowsHttp(ingress: V1Ingress): boolean {
  const value = annotation(ingress, "kubernetes.io/ingress.allow-http") ?? "true";
  return !["0", "f", "F", "false", "FALSE", "False"].includes(value);
}

/** Returns the names of the certificates that exist at Google already. */
export function preSharedCertificates(ingress: V1Ingress): string[] {
  return names(annotation(ingress, PRE_SHARED_CERTIFICATES));
}

/** Returns the names of the ManagedCertificates that an Ingress refers to. */
export function managedCertificates(ingress: V1Ingress): string[] {
  return names(annotation(ingress, "networking.gke.io/managed-certificates"));
}

/** Whether the managed-certificate controller looks at an Ingress: unlike ingress-gce's, its class is external. */
export function usesManagedCertificates(ingress: V1Ingress): boolean {
  return ["", "gce"].includes(annotation(ingress, CLASS) ?? "");
}

/** Returns the name of the reserved address to use. @throws Error when a global and a regional one are named */
export function staticAddressName(ingress: V1Ingress): string | undefined {
  const global = annotation(ingress, "kubernetes.io/ingress.global-static-ip-name");
  const regional = annotation(ingress, "kubernetes.io/ingress.regional-static-ip-name");
  if (global && regional) {
    throw new Error("Error: both global-static-ip and regional-static-ip cannot be specified");
  }
  return regional || global || undefined;
}

/** Returns the name of the FrontendConfig that an Ingress refers to. */
export function frontendConfigName(ingress: V1Ingress): string | undefined {
  return annotation(ingress, "networking.gke.io/v1beta1.FrontendConfig") || undefined;
}

/** Whether a Service asks for network endpoint groups, or why its wish can't be read. */
export function negForIngress(service: V1Service): boolean | "invalid" {
  const text = annotation(service, "cloud.google.com/neg");
  if (text === undefined) return false;
  const value = parsed(text);
  if (!isRecord(value) || ("ingress" in value && typeof value.ingress !== "boolean")) return "invalid";
  return value.ingress === true;
}

/**
 * Returns the protocol of a port, by its NAME: an entry that names no port counts for nothing and is not reported.
 *
 * @throws Error with the controller's reason when the annotation can't be used
 */
export function appProtocol(service: V1Service, portName: string): Protocol {
  const text =
    annotation(service, "service.alpha.kubernetes.io/app-protocols") ??
    annotation(service, "cloud.google.com/app-protocols");
  if (text === undefined) return "HTTP";
  const value = parseGoJson(text);
  if (value === null) return "HTTP";
  if (!isRecord(value)) {
    const kind = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
    throw new Error(
      `json: cannot unmarshal ${kind} into Go value of type map[string]annotations.AppProtocol`,
    );
  }
  for (const protocol of Object.values(value)) {
    if (!isProtocol(protocol)) throw new Error(`invalid port application protocol: ${String(protocol)}`);
  }
  const protocol = value[portName];
  return isProtocol(protocol) ? protocol : "HTTP";
}

/**
 * Returns the name of the BackendConfig for a port; undefined when the annotation names none for it.
 *
 * @throws Error with the controller's reason when the annotation can't be used
 */
export function backendConfigName(service: V1Service, portName: string, port: number): string | undefined {
  const text =
    annotation(service, "cloud.google.com/backend-config") ??
    annotation(service, "beta.cloud.google.com/backend-config");
  if (text === undefined) return undefined;
  const value = parsed(text);
  if (!isRecord(value)) throw new Error("BackendConfig annotation is invalid json");
  const ports = isRecord(value.ports) ? value.ports : {};
  const fallback = typeof value.default === "string" ? value.default : "";
  if (fallback === "" && Object.keys(ports).length === 0) {
    throw new Error("no BackendConfig's found in annotation");
  }
  const named = ports[portName] ?? ports[String(port)] ?? fallback;
  return typeof named === "string" && named !== "" ? named : undefined;
}

export function isProtocol(value: unknown): value is Protocol {
  return typeof value === "string" && PROTOCOLS.includes(value);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function annotation(object: V1Ingress | V1Service, name: string): string | undefined {
  return object.metadata?.annotations?.[name];
}

function names(list = ""): string[] {
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** A JSON text's value; undefined, which no JSON text means, when it is malformed. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
