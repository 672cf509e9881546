import { EventEmitter } from "node:events";
import type { ManagedZone } from "./dns/managed-zone.ts";
import { DnsRecords } from "./dns/records.ts";
import { type AddressSettings, StaticAddresses } from "./google/static-addresses.ts";

/** Certificate and key that an HTTPS proxy presents, both PEM; empty in a managed one that was not issued yet. */
export interface SslCertificate {
  name: string;
  certificate: string;
  privateKey: string;
  /** None for a global one; internal load balancers take those of their region. */
  region?: string;
  /** Of one of type MANAGED, which Google issues itself. */
  managed?: ManagedSslCertificate;
}

/** `managed` of an SslCertificate of the Compute API. */
export interface ManagedSslCertificate {
  domains: string[];
  status: ManagedStatus;
  domainStatus: Record<string, DomainStatus>;
}

export type ManagedStatus =
  | "PROVISIONING"
  | "ACTIVE"
  | "PROVISIONING_FAILED"
  | "PROVISIONING_FAILED_PERMANENTLY";

export type DomainStatus =
  | "PROVISIONING"
  | "ACTIVE"
  | "FAILED_NOT_VISIBLE"
  | "FAILED_CAA_CHECKING"
  | "FAILED_CAA_FORBIDDEN"
  | "FAILED_RATE_LIMITED";

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
  /** Status of the redirect to HTTPS with which port 80 answers instead of serving. */
  httpRedirect?: number;
  certificates: SslCertificate[];
  /** Name of the target HTTPS proxy that has the certificates. */
  httpsProxy?: string;
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
  "managed-certificate-caa-checking",
  "managed-certificate-rate-limit",
  "managed-certificate-permanent-failure",
  "disabled-compute-api",
  "refuse-compute",
  "static-address-quota",
  "disabled-dns-api",
  "refuse-dns-changes",
] as const;
export type Fault = (typeof FAULTS)[number];

/** A range of the project's network. */
export interface Subnetwork {
  name: string;
  region: string;
  ipCidrRange: string;
  /** What Google's proxies of internal load balancers need is `REGIONAL_MANAGED_PROXY`, the proxy-only subnet. */
  purpose: string;
  /** Of a proxy-only subnet: another one of its region may stand by. */
  role?: "ACTIVE" | "BACKUP";
}

interface CloudEvents {
  "load-balancer": [ingress: string];
  backend: [name: string];
  /** A certificate was created, changed or deleted. */
  "ssl-certificate": [name: string];
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
  readonly region = "us-central1";
  readonly zone = `${this.region}-a`;
  readonly loadBalancers = new Map<string, LoadBalancer>();
  readonly backends = new Map<string, BackendService>();
  readonly staticAddresses = new StaticAddresses();
  /** Addresses of the forwarding rules, by the rule's name. */
  readonly forwardingRules = new Map<string, string>();
  readonly subnetworks = new Map<string, Subnetwork>();
  /** Certificates that exist at Google without a Secret, by name. */
  readonly sslCertificates = new Map<string, SslCertificate>();
  /** Names of the policies that exist, for TLS and of Cloud Armor. */
  readonly sslPolicies = new Set<string>();
  readonly securityPolicies = new Set<string>();
  /** Cloud DNS's zones, by name. */
  readonly managedZones = new Map<string, ManagedZone>();
  /** Public DNS, as the world sees it. */
  readonly dns = new DnsRecords();
  readonly faults = new Set<Fault>();
  /** Set by whatever checks the backends' health. */
  healthOf: (backend: BackendService) => Health = () => "HEALTHY";
  readonly #network: string;
  readonly #addresses = new Map<string, { address: string; addressType: AddressSettings["addressType"] }>();
  #externalHosts = 0;
  #internalHosts = 0;

  /** @param network the first three numbers of the loopback addresses to hand out, e.g. `127.20.30` */
  constructor(network: string) {
    super();
    this.#network = network;
    for (const subnetwork of subnetworksOf(this.region)) this.subnetworks.set(subnetwork.name, subnetwork);
  }

  /** Returns the ephemeral address of a forwarding rule, the same one until it is released. */
  allocateAddress(rule: string, addressType: AddressSettings["addressType"] = "EXTERNAL"): string {
    const known = this.#addresses.get(rule);
    if (known?.addressType === addressType) return known.address;
    const address = this.#nextAddress(addressType);
    this.#addresses.set(rule, { address, addressType });
    return address;
  }

  releaseAddress(rule: string): void {
    this.#addresses.delete(rule);
  }

  /** Reserves a static address, unless there is one of this name, and returns it. */
  reserveAddress(name: string, settings: AddressSettings = {}): string {
    const reserved = this.staticAddresses.get(name, settings.region);
    if (reserved !== undefined) return reserved;
    const address = this.#nextAddress(settings.addressType);
    this.staticAddresses.set({ ...settings, name, address });
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

  /** Creates a certificate or changes it: the load balancers that refer to it have the new one at once. */
  setSslCertificate(certificate: SslCertificate): void {
    this.sslCertificates.set(certificate.name, certificate);
    for (const loadBalancer of this.loadBalancersWith(certificate.name)) {
      const certificates = loadBalancer.certificates.map((other) =>
        other.name === certificate.name ? certificate : other,
      );
      this.setLoadBalancer({ ...loadBalancer, certificates });
    }
    this.emit("ssl-certificate", certificate.name);
  }

  /**
   * Deletes a certificate and says whether there was one.
   *
   * @throws Error with Google's text when a load balancer refers to it
   */
  deleteSslCertificate(name: string): boolean {
    const [user] = this.loadBalancersWith(name);
    if (user) {
      const region = this.sslCertificates.get(name)?.region;
      const resources = `projects/${this.projectId}/${region === undefined ? "global" : `regions/${region}`}`;
      throw new Error(
        `googleapi: Error 400: The ssl_certificate resource '${resources}/sslCertificates/${name}' is already being ` +
          `used by '${resources}/targetHttpsProxies/${user.httpsProxy}', resourceInUseByAnotherResource`,
      );
    }
    const existed = this.sslCertificates.delete(name);
    if (existed) this.emit("ssl-certificate", name);
    return existed;
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

  /** Returns the load balancers whose HTTPS proxies refer to a certificate. */
  loadBalancersWith(certificate: string): LoadBalancer[] {
    return [...this.loadBalancers.values()].filter(({ certificates }) =>
      certificates.some(({ name }) => name === certificate),
    );
  }

  /** External addresses are counted up from the network's first one, internal ones down from its last. */
  #nextAddress(addressType: AddressSettings["addressType"] = "EXTERNAL"): string {
    if (this.#externalHosts + this.#internalHosts === 254) {
      throw new Error("this local GKE has handed out all of its 254 addresses");
    }
    if (addressType === "EXTERNAL") this.#externalHosts += 1;
    else this.#internalHosts += 1;
    const host = addressType === "EXTERNAL" ? this.#externalHosts : 255 - this.#internalHosts;
    return `${this.#network}.${host}`;
  }
}

function subnetworksOf(region: string): Subnetwork[] {
  return [
    { name: "default", region, ipCidrRange: "10.128.0.0/20", purpose: "PRIVATE" },
    {
      name: "proxy-only-subnet",
      region,
      ipCidrRange: "10.129.0.0/23",
      purpose: "REGIONAL_MANAGED_PROXY",
      role: "ACTIVE",
    },
  ];
}
