import type { V1Ingress, V1Service } from "@kubernetes/client-node";
import type { BackendService } from "../cloud.ts";
import { parseGoJson } from "./go-json.ts";

export type Protocol = BackendService["protocol"];

export const FINALIZER = "networking.gke.io/ingress-finalizer-V2";
export const NEG_STATUS = "cloud.google.com/neg-status";
/** Prefix of the annotations that the ingress controller writes on an Ingress. */
export const STATUS_PREFIX = "ingress.kubernetes.io/";

/** Names of SSL certificates at Google. Users and the managed-certificate controller write it. */
export const PRE_SHARED_CERTIFICATES = "ingress.gcp.kubernetes.io/pre-shared-cert";

const CLASS = "kubernetes.io/ingress.class";
const PROTOCOLS: readonly string[] = ["HTTP", "HTTPS", "HTTP2"] satisfies Protocol[];

/** The Google class of an Ingress. `gce` is the default; undefined means another controller's class. */
export function googleClass(ingress: V1Ingress): "gce" | "gce-internal" | undefined {
  const name = annotation(ingress, CLASS);
  // The controller ignores Ingresses with any spec.ingressClassName.
  if (name === undefined || name === "")
    return ingress.spec?.ingressClassName === undefined ? "gce" : undefined;
  return name === "gce" || name === "gce-internal" ? name : undefined;
}

/** Whether an Ingress requests an internal load balancer. Its resources are in the cluster's region. */
export function isInternal(ingress: V1Ingress): boolean {
  return googleClass(ingress) === "gce-internal";
}

/** Whether port 80 is open: yes unless the annotation is false in a spelling of Go's strconv.ParseBool. */
export function allowsHttp(ingress: V1Ingress): boolean {
  const value = annotation(ingress, "kubernetes.io/ingress.allow-http") ?? "true";
  return !["0", "f", "F", "false", "FALSE", "False"].includes(value);
}

export function preSharedCertificates(ingress: V1Ingress): string[] {
  return names(annotation(ingress, PRE_SHARED_CERTIFICATES));
}

/** Names of the ManagedCertificates of an Ingress. */
export function managedCertificates(ingress: V1Ingress): string[] {
  return names(annotation(ingress, "networking.gke.io/managed-certificates"));
}

/**
 * Whether the managed-certificate controller handles an Ingress. It ignores internal ones and
 * ingressClassName.
 */
export function usesManagedCertificates(ingress: V1Ingress): boolean {
  return ["", "gce"].includes(annotation(ingress, CLASS) ?? "");
}

/**
 * The name of the reserved address.
 *
 * @throws Error if the Ingress names both a global and a regional address
 */
export function staticAddressName(ingress: V1Ingress): string | undefined {
  const global = annotation(ingress, "kubernetes.io/ingress.global-static-ip-name");
  const regional = annotation(ingress, "kubernetes.io/ingress.regional-static-ip-name");
  if (global && regional) {
    throw new Error("Error: both global-static-ip and regional-static-ip cannot be specified");
  }
  return regional || global || undefined;
}

export function frontendConfigName(ingress: V1Ingress): string | undefined {
  return annotation(ingress, "networking.gke.io/v1beta1.FrontendConfig") || undefined;
}

/** Whether a Service requests network endpoint groups. */
export function negForIngress(service: V1Service): boolean | "invalid" {
  const text = annotation(service, "cloud.google.com/neg");
  if (text === undefined) return false;
  const value = parsed(text);
  if (!isRecord(value) || ("ingress" in value && typeof value.ingress !== "boolean")) return "invalid";
  return value.ingress === true;
}

/**
 * The protocol of a port. The annotation refers to ports by NAME; unknown names are ignored without a
 * warning.
 *
 * @throws Error with the controller's message if the annotation is invalid
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
 * The name of a port's BackendConfig; undefined if the annotation does not name one.
 *
 * @throws Error with the controller's message if the annotation is invalid
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

/** Parses JSON. Undefined, which is not a JSON value, means that the text is malformed. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
