import { EventEmitter } from "node:events";
import type { ManagedZone } from "./dns/managed-zone.ts";
import { DnsRecords } from "./dns/records.ts";
import { type AddressSettings, StaticAddresses } from "./google/static-addresses.ts";

/**
 * A target HTTPS proxy presents it. Certificate and key are PEM; they are empty until a managed one is
 * issued.
 */
export interface SslCertificate {
  name: string;
  certificate: string;
  privateKey: string;
  /** Undefined if it is global. Internal load balancers use certificates of their region. */
  region?: string;
  /** Set if its type is MANAGED: Google issues it. */
  managed?: ManagedSslCertificate;
  /** When load balancers begin to present it, by Date.now(). Undefined: at once. */
  presentedFrom?: number;
}

/** The field `managed` of the Compute API's SslCertificate. */
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
  /** Name of its {@link BackendService}. */
  backend: string;
}

/** The load balancer of one Ingress, as programmed by the ingress controller. */
export interface LoadBalancer {
  /** `namespace/name` of the Ingress. */
  ingress: string;
  /** A loopback address. Port 80 is open if `http`, port 443 if there are certificates. */
  address: string;
  http: boolean;
  /** HTTP status of port 80's redirect to HTTPS. */
  httpRedirect?: number;
  certificates: SslCertificate[];
  /** Name of the target HTTPS proxy. */
  httpsProxy?: string;
  rules: UrlRule[];
}

export interface HealthCheck {
  type: "HTTP" | "HTTPS" | "HTTP2";
  /** The container's port. */
  port: number;
  requestPath: string;
  checkIntervalSec: number;
  timeoutSec: number;
}

/** A backend service and its network endpoint group: the pods behind one port of a Service. */
export interface BackendService {
  /** Also the name of the NEG, and the key in the annotation `ingress.kubernetes.io/backends`. */
  name: string;
  namespace: string;
  service: string;
  /** The Service's port number. */
  port: number;
  /** Undefined if it is global. Those of internal load balancers are of their region. */
  region?: string;
  protocol: "HTTP" | "HTTPS" | "HTTP2";
  timeoutSec: number;
  healthCheck: HealthCheck;
  /** Name of the Cloud Armor policy that admits its clients. */
  securityPolicy?: string;
}

/** The last health check of an endpoint. */
export interface CheckedEndpoint {
  /** The pod's address. */
  ipAddress: string;
  /** The container's port. */
  port: number;
  /** Name of the pod's node. */
  node: string;
  passed: boolean;
}

export type Health = "HEALTHY" | "UNHEALTHY" | "Unknown";

/**
 * The client addresses to which a Cloud Armor rule applies, and what it does. The
 * lowest priority counts first.
 */
export interface SecurityRule {
  priority: number;
  action: "allow" | "deny(403)" | "deny(404)" | "deny(502)";
  /** Whether it is only logged. */
  preview: boolean;
  match: { versionedExpr: "SRC_IPS_V1"; config: { srcIpRanges: string[] } };
}

/** A Cloud Armor policy. Its last rule applies to everybody. */
export interface SecurityPolicy {
  name: string;
  description: string;
  rules: SecurityRule[];
}

/** Faults that a test or a contributor can switch on. */
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
  "organization-policy",
  "identity-aware-proxy",
] as const;
export type Fault = (typeof FAULTS)[number];

/** Faults that can be limited to the Ingresses of a namespace. */
export const NAMESPACED_FAULTS = [
  "ssl-certificate-quota",
  "backend-service-quota",
  "unhealthy-backends",
  "organization-policy",
  "identity-aware-proxy",
] as const satisfies Fault[];
export type NamespacedFault = (typeof NAMESPACED_FAULTS)[number];

export interface Subnetwork {
  name: string;
  region: string;
  ipCidrRange: string;
  /** Internal load balancers need a proxy-only subnet, `REGIONAL_MANAGED_PROXY`. */
  purpose: string;
  /** Set on proxy-only subnets. A region may have a backup. */
  role?: "ACTIVE" | "BACKUP";
}

interface CloudEvents {
  "load-balancer": [ingress: string];
  backend: [name: string];
  /** An SSL certificate was created, changed or deleted. */
  "ssl-certificate": [name: string];
  fault: [name: Fault];
  /** A resource was created. The controllers do not watch it; they find it in their next retry. */
  resource: [];
}

/**
 * The state of the simulated Google project. Controllers and the control API change it, and the data path
 * serves it. It does not depend on Kubernetes.
 */
export class Cloud extends EventEmitter<CloudEvents> {
  readonly projectId = "my-project";
  readonly region = "us-central1";
  readonly zone = `${this.region}-a`;
  readonly loadBalancers = new Map<string, LoadBalancer>();
  readonly backends = new Map<string, BackendService>();
  readonly staticAddresses = new StaticAddresses();
  /** Addresses of the forwarding rules by rule name. */
  readonly forwardingRules = new Map<string, string>();
  readonly subnetworks = new Map<string, Subnetwork>();
  /** SSL certificates by name. */
  readonly sslCertificates = new Map<string, SslCertificate>();
  /** Names of the SSL policies. */
  readonly sslPolicies = new Set<string>();
  /** Cloud Armor policies by name. */
  readonly securityPolicies = new Map<string, SecurityPolicy>();
  /** Cloud DNS zones by name. */
  readonly managedZones = new Map<string, ManagedZone>();
  /** Public DNS. */
  readonly dns = new DnsRecords();
  readonly faults = new Set<Fault>();
  /** `FAULT in NAMESPACE` */
  readonly faultsInNamespaces = new Set<string>();
  /** The health checks replace it. */
  healthOf: (backend: BackendService) => Health = () => "HEALTHY";
  /** The health checks replace it. */
  checksOf: (backend: BackendService) => CheckedEndpoint[] = () => [];
  readonly #network: string;
  readonly #addresses = new Map<string, { address: string; addressType: AddressSettings["addressType"] }>();
  #externalHosts = 0;
  #internalHosts = 0;

  /** @param network the loopback network for addresses, e.g. `127.20.30` */
  constructor(network: string) {
    super();
    this.#network = network;
    this.deleteResources();
  }

  /** Brings the project back to its start, except what the controllers keep for Kubernetes objects. */
  deleteResources(): void {
    this.staticAddresses.clear();
    this.sslCertificates.clear();
    this.sslPolicies.clear();
    this.securityPolicies.clear();
    for (const zone of this.managedZones.values()) zone.withdraw();
    this.managedZones.clear();
    this.dns.clear();
    this.subnetworks.clear();
    for (const subnetwork of subnetworksOf(this.region)) this.subnetworks.set(subnetwork.name, subnetwork);
    if (this.#addresses.size > 0) return;
    this.forwardingRules.clear();
    this.#externalHosts = 0;
    this.#internalHosts = 0;
  }

  /** Returns the ephemeral address of a forwarding rule: the same one until its release. */
  allocateAddress(rule: string, addressType: AddressSettings["addressType"] = "EXTERNAL"): string {
    const allocated = this.#addresses.get(rule);
    if (allocated?.addressType === addressType) return allocated.address;
    const address = this.#nextAddress(addressType);
    this.#addresses.set(rule, { address, addressType });
    return address;
  }

  releaseAddress(rule: string): void {
    this.#addresses.delete(rule);
  }

  /** Reserves a static address, or returns the existing one of this name. */
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

  /** Creates or replaces a certificate. Load balancers that use it present the new one immediately. */
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
   * Deletes a certificate. Returns false if it does not exist.
   *
   * @throws Error with Google's message if a load balancer uses it
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

  /** The health of a backend service as Google reports it. */
  health(backend: BackendService): Health {
    return this.hasFaultIn(backend.namespace, "unhealthy-backends") ? "UNHEALTHY" : this.healthOf(backend);
  }

  /** The endpoints of a backend service that have been checked, as Google reports them. */
  checkedEndpoints(backend: BackendService): CheckedEndpoint[] {
    const isFaulty = this.faults.has("unhealthy-backends");
    return this.checksOf(backend).map((each) => ({ ...each, passed: each.passed && !isFaulty }));
  }

  /** The health of the default backend, which responds 404 to requests without a matching rule. */
  defaultBackendHealth(): Health {
    return this.faults.has("unhealthy-backends") ? "UNHEALTHY" : "HEALTHY";
  }

  setFault(fault: Fault, on: boolean): void {
    if (on) this.faults.add(fault);
    else this.faults.delete(fault);
    this.emit("fault", fault);
  }

  /** Switches a fault for the Ingresses of one namespace. */
  setFaultIn(namespace: string, fault: NamespacedFault, on: boolean): void {
    const key = `${fault} in ${namespace}`;
    if (on) this.faultsInNamespaces.add(key);
    else this.faultsInNamespaces.delete(key);
    this.emit("fault", fault);
  }

  hasFaultIn(namespace: string, fault: NamespacedFault): boolean {
    return this.faults.has(fault) || this.faultsInNamespaces.has(`${fault} in ${namespace}`);
  }

  /** The load balancers whose target HTTPS proxies use a certificate. */
  loadBalancersWith(certificate: string): LoadBalancer[] {
    return [...this.loadBalancers.values()].filter(({ certificates }) =>
      certificates.some(({ name }) => name === certificate),
    );
  }

  /**
   * Assigns external addresses from the start of the network upwards, internal ones from its end downwards.
   */
  #nextAddress(addressType: AddressSettings["addressType"] = "EXTERNAL"): string {
    if (this.#externalHosts + this.#internalHosts === 254) {
      throw new Error("this local GKE has assigned all of its 254 addresses");
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
