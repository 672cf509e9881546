import type { V1Ingress } from "@kubernetes/client-node";
import { messageOf } from "../../src/base/errors.ts";
import type { KeyPair } from "../certificate-authority.ts";
import type { Cloud, LoadBalancer, SslCertificate, UrlRule } from "../cloud.ts";
import {
  allowsHttp,
  isInternal,
  preSharedCertificates,
  STATUS_PREFIX,
  staticAddressName,
} from "./annotations.ts";
import { isUsable } from "./certificates.ts";
import type { Compute } from "./compute.ts";
import type { EventType } from "./events.ts";
import { type ForwardingRule, ForwardingRules } from "./forwarding-rules.ts";
import { type FrontendConfig, redirectStatus } from "./frontend-config.ts";
import { type ClusterIds, certificateName, type FrontendNames, frontendNames } from "./names.ts";

const INTERNAL_NEEDS_STATIC_IP =
  "gce-internal Ingress class must be configured with a static-ip to use both HTTP and HTTPS served on the same IP. " +
  "Please configure a static-ip with Purpose=SHARED_LOADBALANCER_VIP and attach it to the ingress with the " +
  "kubernetes.io/ingress.regional-static-ip-name annotation.";

/** The desired state of a frontend, in addition to the Ingress's annotations. */
export interface FrontendSpec {
  rules: UrlRule[];
  /** From the Secrets of spec.tls. */
  keyPairs: KeyPair[];
  frontendConfig: FrontendConfig | undefined;
  /** Receives each event. The default is a Normal `Sync`. */
  record(message: string, type?: EventType, reason?: string): void;
}

/** The result of a sync. An `undefined` annotation must be removed. */
export interface Frontend {
  address: string;
  annotations: Record<string, string | undefined>;
}

/** Manages the load balancers' frontends: URL maps, target proxies, SSL certificates, forwarding rules. */
export class Frontends {
  readonly #cloud: Cloud;
  readonly #compute: Compute;
  readonly #ids: ClusterIds;
  readonly #forwardingRules: ForwardingRules;
  /** SSL certificates by target HTTPS proxy. */
  readonly #certificates = new Map<string, SslCertificate[]>();
  /** Status of the redirect to HTTPS by target HTTP proxy. */
  readonly #redirects = new Map<string, number>();
  /** Addresses that were promoted to static ones, by HTTP forwarding rule. */
  readonly #promoted = new Map<string, string>();
  /** Whether the load balancer is internal, by Ingress. */
  readonly #internal = new Map<string, boolean>();

  constructor(cloud: Cloud, compute: Compute, ids: ClusterIds) {
    this.#cloud = cloud;
    this.#compute = compute;
    this.#ids = ids;
    this.#forwardingRules = new ForwardingRules(cloud, compute);
    // The proxies of an earlier controller run keep their certificates.
    for (const { httpsProxy, certificates } of cloud.loadBalancers.values()) {
      if (httpsProxy !== undefined) this.#certificates.set(httpsProxy, certificates);
    }
  }

  /**
   * Reconciles an Ingress's frontend with its annotations and Secrets. It follows the order of ingress-gce,
   * so a failure leaves the results of earlier steps in place.
   *
   * @throws Error with the controller's message
   */
  async ensure(ingress: V1Ingress, spec: FrontendSpec): Promise<Frontend> {
    const names = this.#names(ingress);
    try {
      return await this.#ensure(ingress, names, spec);
    } catch (error) {
      // Removes forwarding rules that were deleted before the failure.
      const rules = this.#cloud.loadBalancers.get(ingressKey(ingress))?.rules ?? spec.rules;
      this.#program(ingress, names, rules);
      throw new Error(`loadbalancer ${names.loadBalancer} does not exist: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Deletes all frontend resources of an Ingress. */
  remove(ingress: V1Ingress): void {
    const names = this.#names(ingress);
    const key = ingressKey(ingress);
    this.#removeHttp(names);
    this.#removeHttps(names);
    this.#demote(names);
    this.#compute.delete(names.urlMap);
    this.#compute.delete(names.redirectUrlMap);
    this.#cloud.removeLoadBalancer(key);
    this.#internal.delete(key);
    this.#deleteUnusedCertificates(names);
  }

  async #ensure(ingress: V1Ingress, names: FrontendNames, spec: FrontendSpec): Promise<Frontend> {
    const { rules, keyPairs, frontendConfig, record } = spec;
    const preShared = preSharedCertificates(ingress);
    const http = allowsHttp(ingress);
    const https = preShared.length + keyPairs.length > 0;
    if (!http && !https) {
      throw new Error(
        "invalid configuration: both HTTP and HTTPS are disabled (kubernetes.io/ingress.allow-http is false and " +
          "there is no valid TLS configuration); your Ingress will not be able to serve any traffic",
      );
    }
    const reserved = staticAddressName(ingress);
    if (isInternal(ingress) && http && https && reserved === undefined) {
      record(INTERNAL_NEEDS_STATIC_IP, "Warning", "WillNotConfigureFrontend");
      throw new Error("error invalid internal ingress https config");
    }
    this.#leaveScope(ingress);
    if (await this.#compute.insert(names.urlMap)) record(`UrlMap "${names.urlMap}" created`);
    await this.#redirectUrlMap(ingress, names, frontendConfig?.redirect);
    if (http) {
      await this.#httpProxy(names, frontendConfig?.redirect, record);
      const target = { targetKind: "targetHttpProxies", target: names.httpProxy } as const;
      await this.#forwardingRule(ingress, { name: names.httpForwardingRule, ...target }, false, record);
    } else {
      this.#removeHttp(names);
    }
    if (http && https) await this.#promote(names, reserved);
    if (!https) this.#removeHttps(names);
    this.#program(ingress, names, rules);
    if (https) {
      const certificates = await this.#ensureCertificates(ingress, names, preShared, keyPairs);
      this.#checkSslPolicy(frontendConfig?.sslPolicy);
      await this.#httpsProxy(ingress, names.httpsProxy, certificates, record);
      const target = { targetKind: "targetHttpsProxies", target: names.httpsProxy } as const;
      await this.#forwardingRule(ingress, { name: names.httpsForwardingRule, ...target }, http, record);
      this.#program(ingress, names, rules);
    }
    this.#deleteUnusedCertificates(names);
    const address = this.#address(names);
    if (address === undefined) throw new Error(`the load balancer of ${ingressKey(ingress)} has no address`);
    return { address, annotations: this.#annotations(names) };
  }

  /** @throws Error with the controller's or Google's message if the redirect is invalid */
  async #redirectUrlMap(
    ingress: V1Ingress,
    names: FrontendNames,
    redirect: string | undefined,
  ): Promise<void> {
    if (redirect === undefined) {
      this.#compute.delete(names.redirectUrlMap);
      return;
    }
    try {
      if (isInternal(ingress)) throw new Error("error: cannot enable HTTPS Redirects with L7 ILB");
      redirectStatus(redirect);
    } catch (error) {
      throw new Error(`ensureRedirectUrlMap() = ${messageOf(error)}`, { cause: error });
    }
    await this.#compute.insert(names.redirectUrlMap);
  }

  async #httpProxy(
    { httpProxy }: FrontendNames,
    redirect: string | undefined,
    record: FrontendSpec["record"],
  ): Promise<void> {
    const status = redirect === undefined ? undefined : redirectStatus(redirect);
    const before = this.#redirects.get(httpProxy);
    if (await this.#compute.insert(httpProxy)) record(`TargetProxy "${httpProxy}" created`);
    else if ((before === undefined) !== (status === undefined)) record(`TargetProxy "${httpProxy}" updated`);
    if (status === undefined) this.#redirects.delete(httpProxy);
    else this.#redirects.set(httpProxy, status);
  }

  #checkSslPolicy(name: string | undefined): void {
    if (name === undefined || this.#cloud.sslPolicies.has(name)) return;
    const resource = `projects/${this.#cloud.projectId}/global/sslPolicies/${name}`;
    throw new Error(`googleapi: Error 404: The resource '${resource}' was not found, notFound`);
  }

  async #forwardingRule(
    ingress: V1Ingress,
    rule: Omit<ForwardingRule, "siblings" | "promoted">,
    isShared: boolean,
    record: FrontendSpec["record"],
  ): Promise<void> {
    const { httpForwardingRule, httpsForwardingRule } = this.#names(ingress);
    const siblings = [httpForwardingRule, httpsForwardingRule];
    const address = this.#promoted.get(httpForwardingRule);
    const promoted = address === undefined ? undefined : { address, isNeeded: isShared };
    await this.#forwardingRules.ensure(ingress, { ...rule, siblings, promoted }, record);
  }

  /**
   * Promotes the HTTP rule's address to a static one for both rules. An existing HTTPS rule moves to it. The
   * address outlives either rule. It is released if the Ingress names another one (ingress-gce,
   * pkg/loadbalancers/addresses.go).
   */
  async #promote(names: FrontendNames, reserved: string | undefined): Promise<void> {
    const { httpForwardingRule: name } = names;
    const address = this.#cloud.forwardingRules.get(name);
    if (reserved !== undefined) this.#demote(names);
    else if (address !== undefined && !this.#promoted.has(name)) {
      await this.#compute.insert(`address ${name}`);
      this.#promoted.set(name, address);
    }
  }

  #demote({ httpForwardingRule: name }: FrontendNames): void {
    this.#compute.delete(`address ${name}`);
    this.#promoted.delete(name);
  }

  /**
   * Deletes the load balancer if the Ingress changed between internal and external, even if the new one
   * fails. ingress-gce deletes it last (pkg/controller/controller.go, postSyncGC).
   */
  #leaveScope(ingress: V1Ingress): void {
    const internal = isInternal(ingress);
    const before = this.#internal.get(ingressKey(ingress));
    if (before !== undefined && before !== internal) this.remove(ingress);
    this.#internal.set(ingressKey(ingress), internal);
  }

  /** Creates the certificates from Secrets. The names refer to certificates that exist at Google. */
  async #ensureCertificates(
    ingress: V1Ingress,
    names: FrontendNames,
    preShared: string[],
    keyPairs: KeyPair[],
  ): Promise<(string | SslCertificate)[]> {
    const created = new Map<string, SslCertificate>();
    const failures: string[] = [];
    for (const keyPair of keyPairs) {
      const name = certificateName(names, keyPair.certificate);
      const existing = this.#cloud.sslCertificates.get(name);
      if (existing) {
        created.set(name, existing);
        continue;
      }
      const failure = this.#certificateRefusal(ingress, keyPair);
      if (failure !== undefined) {
        failures.push(`${name} Error:${failure}`);
        continue;
      }
      await this.#compute.insert(name);
      const certificate = { name, ...keyPair, ...(isInternal(ingress) && { region: this.#cloud.region }) };
      this.#cloud.setSslCertificate(certificate);
      created.set(name, certificate);
    }
    if (failures.length > 0) throw new Error(`Cert creation failures - ${failures.join(",")}`);
    return [...preShared, ...created.values()];
  }

  #certificateRefusal(ingress: V1Ingress, { certificate, privateKey }: KeyPair): string | undefined {
    if (this.#cloud.hasFaultIn(ingress.metadata?.namespace ?? "", "ssl-certificate-quota")) {
      const quota = "QUOTA_EXCEEDED - Quota 'SSL_CERTIFICATES' exceeded.  Limit: 10.0 globally.";
      return `googleapi: Error 403: ${quota}`;
    }
    if (isUsable(certificate, privateKey)) return undefined;
    return "googleapi: Error 400: The SSL certificate could not be parsed., sslCertificateCouldNotParseCert";
  }

  async #httpsProxy(
    ingress: V1Ingress,
    proxy: string,
    wanted: (string | SslCertificate)[],
    record: FrontendSpec["record"],
  ): Promise<void> {
    const present = this.#certificates.get(proxy) ?? [];
    const certificates = wanted.map((certificate) => {
      if (typeof certificate !== "string") return certificate;
      const found =
        this.#cloud.sslCertificates.get(certificate) ?? present.find(({ name }) => name === certificate);
      const region = isInternal(ingress) ? this.#cloud.region : undefined;
      if (found && found.region === region) return found;
      const scope = region === undefined ? "global" : `regions/${region}`;
      const resource = `projects/${this.#cloud.projectId}/${scope}/sslCertificates/${certificate}`;
      throw new Error(`googleapi: Error 404: The resource '${resource}' was not found, notFound`);
    });
    const created = await this.#compute.insert(proxy);
    this.#certificates.set(proxy, certificates);
    if (created) record(`TargetProxy "${proxy}" created`);
    else if (nameList(present) !== nameList(certificates)) record(`TargetProxy "${proxy}" certs updated`);
  }

  #removeHttp(names: FrontendNames): void {
    this.#forwardingRules.delete(names.httpForwardingRule);
    this.#compute.delete(names.httpProxy);
    this.#redirects.delete(names.httpProxy);
  }

  #removeHttps(names: FrontendNames): void {
    this.#forwardingRules.delete(names.httpsForwardingRule);
    this.#compute.delete(names.httpsProxy);
    this.#certificates.delete(names.httpsProxy);
  }

  /** Deletes the certificates from Secrets that the target HTTPS proxy no longer uses. */
  #deleteUnusedCertificates({ httpsProxy, certificatePrefix }: FrontendNames): void {
    const used = new Set((this.#certificates.get(httpsProxy) ?? []).map(({ name }) => name));
    for (const name of this.#cloud.sslCertificates.keys()) {
      if (!name.startsWith(certificatePrefix) || used.has(name)) continue;
      this.#cloud.deleteSslCertificate(name);
      this.#compute.delete(name);
    }
  }

  /** Applies the current resources to the data path. */
  #program(ingress: V1Ingress, names: FrontendNames, rules: UrlRule[]): void {
    const address = this.#address(names);
    const key = ingressKey(ingress);
    if (address === undefined) {
      this.#cloud.removeLoadBalancer(key);
      return;
    }
    const { forwardingRules, sslCertificates } = this.#cloud;
    const https = forwardingRules.has(names.httpsForwardingRule);
    const redirect = this.#redirects.get(names.httpProxy);
    const certificates = https ? (this.#certificates.get(names.httpsProxy) ?? []) : [];
    const loadBalancer: LoadBalancer = {
      ingress: key,
      address,
      http: forwardingRules.has(names.httpForwardingRule),
      // A managed certificate may have been issued in the meantime.
      certificates: certificates.map((attached) => sslCertificates.get(attached.name) ?? attached),
      rules,
      ...(https && { httpsProxy: names.httpsProxy }),
      ...(redirect !== undefined && { httpRedirect: redirect }),
    };
    if (JSON.stringify(this.#cloud.loadBalancers.get(key)) !== JSON.stringify(loadBalancer)) {
      this.#cloud.setLoadBalancer(loadBalancer);
    }
  }

  #address(names: FrontendNames): string | undefined {
    const { forwardingRules } = this.#cloud;
    return forwardingRules.get(names.httpForwardingRule) ?? forwardingRules.get(names.httpsForwardingRule);
  }

  #annotations(names: FrontendNames): Record<string, string | undefined> {
    const existing = (name: string) => (this.#compute.has(name) ? name : undefined);
    const certificates = nameList(this.#certificates.get(names.httpsProxy) ?? []);
    const annotations: Record<string, string | undefined> = {
      [`${STATUS_PREFIX}url-map`]: names.urlMap,
      [`${STATUS_PREFIX}forwarding-rule`]: existing(names.httpForwardingRule),
      [`${STATUS_PREFIX}target-proxy`]: existing(names.httpProxy),
      [`${STATUS_PREFIX}https-forwarding-rule`]: existing(names.httpsForwardingRule),
      [`${STATUS_PREFIX}https-target-proxy`]: existing(names.httpsProxy),
      [`${STATUS_PREFIX}ssl-cert`]: certificates || undefined,
      [`${STATUS_PREFIX}redirect-url-map`]: existing(names.redirectUrlMap),
    };
    // ingress-gce never removes this annotation.
    if (this.#promoted.has(names.httpForwardingRule))
      annotations[`${STATUS_PREFIX}static-ip`] = names.httpForwardingRule;
    return annotations;
  }

  #names(ingress: V1Ingress): FrontendNames {
    return frontendNames(this.#ids, ingress.metadata?.namespace ?? "", ingress.metadata?.name ?? "");
  }
}

/** The key of an Ingress in the work queue and in the cloud: `namespace/name`. */
export function ingressKey(ingress: V1Ingress): string {
  return `${ingress.metadata?.namespace}/${ingress.metadata?.name}`;
}

function nameList(certificates: SslCertificate[]): string {
  return certificates.map(({ name }) => name).join(",");
}
