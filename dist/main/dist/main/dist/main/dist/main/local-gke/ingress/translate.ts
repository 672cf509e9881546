import type {
  V1HTTPIngressPath,
  V1Ingress,
  V1IngressBackend,
  V1Service,
  V1ServicePort,
} from "@kubernetes/client-node";
import { messageOf } from "../../src/base/errors.ts";
import type { UrlRule } from "../cloud.ts";
import { appProtocol, backendConfigName, isInternal, negForIngress, type Protocol } from "./annotations.ts";
import { type BackendConfig, validationError } from "./backend-config.ts";
import { type ClusterIds, negName, nodePortBackendName } from "./names.ts";

/** A Service's port that is a backend of an Ingress. */
export interface ServicePort {
  /** Name of its backend service, and of its NEG if it has one. */
  backend: string;
  namespace: string;
  service: string;
  port: number;
  portName: string;
  targetPort: number | string;
  neg: boolean;
  protocol: Protocol;
  backendConfig: BackendConfig | undefined;
}

/** The desired state of an Ingress. With errors, it is incomplete. */
export interface Translation {
  rules: UrlRule[];
  /** Unique ports. The default backend is last. */
  servicePorts: ServicePort[];
  errors: string[];
}

/** The cluster state that a translation needs. */
export interface Inventory {
  ids: ClusterIds;
  service(namespace: string, name: string): V1Service | undefined;
  backendConfig(namespace: string, name: string): BackendConfig | undefined;
}

/** This Service responds 404 for each Ingress without its own default backend. */
export const DEFAULT_BACKEND = { namespace: "kube-system", name: "default-http-backend", port: 80 } as const;

export interface ServiceReference {
  namespace: string;
  name: string;
}

/** The Services that an Ingress names, whether they exist or not. */
export function referencedServices(ingress: V1Ingress): ServiceReference[] {
  const paths = (ingress.spec?.rules ?? []).flatMap((rule) => rule.http?.paths ?? []);
  const backends = [...paths.map((path) => path.backend), ingress.spec?.defaultBackend];
  const names = new Set(backends.flatMap((backend) => backend?.service?.name ?? []));
  return [...names].map((name) => ({ namespace: ingress.metadata?.namespace ?? "", name }));
}

/** Translates an Ingress into URL rules and backends. */
export function translate(ingress: V1Ingress, inventory: Inventory): Translation {
  const namespace = ingress.metadata?.namespace ?? "";
  const internal = isInternal(ingress);
  const ports = new Map<string, ServicePort>();
  const rules: UrlRule[] = [];
  const errors: string[] = [];
  const resolve = (backend: V1IngressBackend) => {
    const { port, error } = servicePort(backend, namespace, internal, inventory);
    if (error !== undefined) errors.push(error);
    if (port) ports.set(port.backend, port);
    return port;
  };

  for (const rule of ingress.spec?.rules ?? []) {
    for (const path of rule.http?.paths ?? []) {
      const port = resolve(path.backend);
      if (!port) continue;
      const wrong = pathError(path);
      if (wrong !== undefined) errors.push(wrong);
      else rules.push(urlRule(rule.host, path, port.backend));
    }
  }
  const own = ingress.spec?.defaultBackend;
  if (own) {
    const port = resolve(own);
    if (port) rules.push({ host: undefined, path: "/", pathType: "Prefix", backend: port.backend });
  } else {
    const system = { service: { name: DEFAULT_BACKEND.name, port: { number: DEFAULT_BACKEND.port } } };
    const { port, error } = servicePort(system, DEFAULT_BACKEND.namespace, internal, inventory);
    if (port) ports.set(port.backend, port);
    if (error !== undefined) {
      errors.push(
        `failed to retrieve the system default backend service "${DEFAULT_BACKEND.namespace}/${DEFAULT_BACKEND.name}" ` +
          `with port "${portText(system)}": ${error}`,
      );
    }
  }
  return { rules, servicePorts: [...ports.values()], errors };
}

function servicePort(
  backend: V1IngressBackend,
  namespace: string,
  internal: boolean,
  inventory: Inventory,
): { port?: ServicePort; error?: string } {
  if (!backend.service) return { error: "Ingress Backend is not a service" };
  const name = `"${namespace}/${backend.service.name}"`;
  const service = inventory.service(namespace, backend.service.name);
  if (!service) return { error: `could not find service ${name}` };
  const found = findPort(service, backend);
  if (!found) return { error: `could not find port "${portText(backend)}" in service ${name}` };

  const asksForNeg = negForIngress(service) === true;
  const type = service.spec?.type ?? "ClusterIP";
  if (!asksForNeg && type !== "NodePort" && type !== "LoadBalancer") {
    return {
      error: `service ${name} is type "${type}", expected "NodePort" or "LoadBalancer" when not using NEGs`,
    };
  }
  const neg = asksForNeg || internal;
  const port: ServicePort = {
    backend: neg
      ? negName(inventory.ids, namespace, backend.service.name, found.port)
      : nodePortBackendName(inventory.ids, found.nodePort ?? 0),
    namespace,
    service: backend.service.name,
    port: found.port,
    portName: found.name ?? "",
    targetPort: found.targetPort ?? found.port,
    neg,
    protocol: "HTTP",
    backendConfig: undefined,
  };

  try {
    port.protocol = appProtocol(service, port.portName);
  } catch (error) {
    const key = `"service.alpha.kubernetes.io/app-protocols"`;
    return { port, error: `could not parse ${key} annotation on service ${name}, err: ${messageOf(error)}` };
  }
  try {
    port.backendConfig = configFor(service, port, inventory);
  } catch (error) {
    const about = `port "${portText(backend)}" on service ${name}`;
    return { port, error: `error getting BackendConfig for ${about}, err: ${messageOf(error)}` };
  }
  const refused = port.backendConfig && validationError(port.backendConfig);
  if (refused === undefined) return { port };
  return { port, error: `BackendConfig ${namespace}/${port.backendConfig?.name} is not valid: ${refused}` };
}

function configFor(service: V1Service, port: ServicePort, inventory: Inventory): BackendConfig | undefined {
  const name = backendConfigName(service, port.portName, port.port);
  if (name === undefined) return undefined;
  const config = inventory.backendConfig(port.namespace, name);
  if (!config) throw new Error("no BackendConfig for service port exists.");
  return config;
}

function findPort(service: V1Service, backend: V1IngressBackend): V1ServicePort | undefined {
  const wanted = backend.service?.port;
  return service.spec?.ports?.find((port) =>
    wanted?.name ? port.name === wanted.name : port.port === wanted?.number,
  );
}

/** Formats a port as Go does. */
function portText(backend: V1IngressBackend): string {
  const port = backend.service?.port;
  return `&ServiceBackendPort{Name:${port?.name ?? ""},Number:${port?.number ?? 0},}`;
}

function pathError(path: V1HTTPIngressPath): string | undefined {
  const kind = path.pathType.toLowerCase();
  if (kind !== "prefix" && kind !== "exact") return undefined;
  if (!path.path) return `failed to validate ${kind} path type due to empty path`;
  return path.path.includes("*")
    ? `failed to validate ${kind} path ${path.path} due to invalid wildcard`
    : undefined;
}

function urlRule(host: string | undefined, path: V1HTTPIngressPath, backend: string): UrlRule {
  return { host: host || undefined, path: path.path || "/*", pathType: pathType(path), backend };
}

function pathType({ pathType }: V1HTTPIngressPath): UrlRule["pathType"] {
  return pathType === "Exact" || pathType === "Prefix" ? pathType : "ImplementationSpecific";
}
