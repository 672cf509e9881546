import { EventEmitter } from "node:events";

/** Certificate and key that an HTTPS proxy presents, both PEM. */
export interface SslCertificate {
  name: string;
  certificate: string;
  privateKey: string;
}

/** One path of a URL map. An undefined host matches every host. */
export interface UrlRule {
  host: string | undefined;
  path: string;
  pathType: "Prefix" | "Exact" | "ImplementationSpecific";
  /** Name of the {@link BackendService} that serves it. */
  backend: string;
}

/** The load balancer of one Ingress, as the ingress controller programmed it. */
export interface LoadBalancer {
  /** `namespace/name` of the Ingress. */
  ingress: string;
  /** A loopback address; port 80 when `http`, port 443 when there are certificates. */
  address: string;
  http: boolean;
  certificates: SslCertificate[];
  rules: UrlRule[];
}

export interface HealthCheck {
  type: "HTTP" | "HTTPS" | "HTTP2";
  /** A container's port. */
  port: number;
  requestPath: string;
  checkIntervalSec: number;
  timeoutSec: number;
}

/** A backend service with its network endpoint group: the pods behind one port of a Service. */
export interface BackendService {
  /** Name of the NEG, the key in the annotation `ingress.kubernetes.io/backends`. */
  name: string;
  namespace: string;
  service: string;
  /** The Service's port number. */
  port: number;
  protocol: "HTTP" | "HTTPS" | "HTTP2";
  timeoutSec: number;
  healthCheck: HealthCheck;
}

export type Health = "HEALTHY" | "UNHEALTHY" | "Unknown";

/** What a test or a contributor can break, by name. */
export const FAULTS = [
  "ssl-certificate-quota",
  "backend-service-quota",
  "unhealthy-backends",
  "no-ingress-controller",
  "refuse-clusters-get",
  "unavailable-container-api",
  "disabled-container-api",
  "refuse-token-exchange",
  "refuse-impersonation",
  "refuse-service-account-key",
  "unavailable-token-services",
  "disabled-iam-api",
  "stale-identity-token",
  "refuse-connect-gateway",
  "disabled-connect-gateway",
  "unreachable-cluster",
] as const;
export type Fault = (typeof FAULTS)[number];

interface CloudEvents {
  "load-balancer": [ingress: string];
  backend: [name: string];
  fault: [name: Fault];
  /** Something exists now, or no longer does, that the controllers are not told of: they find it at their next try. */
  resource: [];
}

/**
 * The state of the pretended Google project: written by the controllers and from outside, served by the data
 * path. It knows nothing of Kubernetes.
 */
export class Cloud extends EventEmitter<CloudEvents> {
  readonly projectId = "my-project";
  readonly zone = "us-central1-a";
  readonly loadBalancers = new Map<string, LoadBalancer>();
  readonly backends = new Map<string, BackendService>();
  /** Reserved addresses by name. */
  readonly staticAddresses = new Map<string, string>();
  /** Certificates that exist at Google without a Secret, by name. */
  readonly sslCertificates = new Map<string, SslCertificate>();
  readonly faults = new Set<Fault>();
  /** Set by whatever checks the backends' health. */
  healthOf: (backend: BackendService) => Health = () => "HEALTHY";
  readonly #network: string;
  readonly #addresses = new Map<string, string>();
  #lastHost = 0;

  /** @param network the first three numbers of the loopback addresses to hand out, e.g. `127.20.30` */
  constructor(network: string) {
    super();
    this.#network = network;
  }

  /** Returns the ephemeral address of an Ingress, the same one until it is released. */
  allocateAddress(ingress: string): string {
    const known = this.#addresses.get(ingress);
    if (known) return known;
    const address = this.#nextAddress();
    this.#addresses.set(ingress, address);
    return address;
  }

  releaseAddress(ingress: string): void {
    this.#addresses.delete(ingress);
  }

  /** Reserves a static address and returns it. */
  reserveAddress(name: string): string {
    const address = this.staticAddresses.get(name) ?? this.#nextAddress();
    this.staticAddresses.set(name, address);
    this.emit("resource");
    return address;
  }

  setLoadBalancer(loadBalancer: LoadBalancer): void {
    this.loadBalancers.set(loadBalancer.ingress, loadBalancer);
    this.emit("load-balancer", loadBalancer.ingress);
  }

  removeLoadBalancer(ingress: string): void {
    if (this.loadBalancers.delete(ingress)) this.emit("load-balancer", ingress);
  }

  setBackend(backend: BackendService): void {
    this.backends.set(backend.name, backend);
    this.emit("backend", backend.name);
  }

  removeBackend(name: string): void {
    if (this.backends.delete(name)) this.emit("backend", name);
  }

  /** Returns a backend's state as Google reports it. */
  health(backend: BackendService): Health {
    return this.faults.has("unhealthy-backends") ? "UNHEALTHY" : this.healthOf(backend);
  }

  /** Returns the state of Google's own server that answers 404 for what no rule matches. */
  defaultBackendHealth(): Health {
    return this.faults.has("unhealthy-backends") ? "UNHEALTHY" : "HEALTHY";
  }

  setFault(fault: Fault, on: boolean): void {
    if (on) this.faults.add(fault);
    else this.faults.delete(fault);
    this.emit("fault", fault);
  }

  #nextAddress(): string {
    this.#lastHost += 1;
    if (this.#lastHost > 254) throw new Error("this local GKE has handed out all of its 254 addresses");
    return `${this.#network}.${this.#lastHost}`;
  }
}
