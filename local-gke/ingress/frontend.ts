import type { V1Ingress } from "@kubernetes/client-node";
import { messageOf } from "../../src/errors.ts";
import type { Cloud, LoadBalancer, SslCertificate, UrlRule } from "../cloud.ts";
import {
  allowsHttp,
  googleClass,
  preSharedCertificates,
  STATUS_PREFIX,
  staticAddressName,
} from "./annotations.ts";
import { isUsable } from "./certificates.ts";
import type { Compute } from "./compute.ts";
import { type ClusterIds, certificateName, type FrontendNames, frontendNames } from "./names.ts";

/** A certificate and key as the Ingress's Secret has them. */
export interface KeyPair {
  certificate: string;
  privateKey: string;
}

/** What a sync has made: the address and the annotations to write, `undefined` ones to remove. */
export interface Frontend {
  address: string;
  annotations: Record<string, string | undefined>;
}

/** Makes the load balancers' frontends: URL map, proxies, certificates, forwarding rules. */
export class Frontends {
  readonly #cloud: Cloud;
  readonly #compute: Compute;
  readonly #ids: ClusterIds;
  /** Addresses of the forwarding rules, by the rule's name. */
  readonly #addresses = new Map<string, string>();
  /** Certificates that the HTTPS proxies present, by the proxy's name. */
  readonly #certificates = new Map<string, SslCertificate[]>();

  constructor(cloud: Cloud, compute: Compute, ids: ClusterIds) {
    this.#cloud = cloud;
    this.#compute = compute;
    this.#ids = ids;
  }

  /**
   * Brings an Ingress's frontend to what its annotations and Secrets ask for, and programs the cloud as far as it
   * gets. The order is ingress-gce's: a failure leaves what comes before it in place.
   *
   * @param record called with each Normal event
   * @throws Error with the controller's text
   */
  async ensure(
    ingress: V1Ingress,
    rules: UrlRule[],
    keyPairs: KeyPair[],
    record: (message: string) => void,
  ): Promise<Frontend> {
    const names = this.#names(ingress);
    try {
      return await this.#ensure(ingress, names, rules, keyPairs, record);
    } catch (error) {
      throw new Error(`loadbalancer ${names.loadBalancer} does not exist: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Removes everything of an Ingress: forwarding rules, proxies, certificates, URL map. */
  remove(ingress: V1Ingress): void {
    const names = this.#names(ingress);
    const key = ingressKey(ingress);
    this.#removeHttp(names);
    this.#removeHttps(names);
    this.#compute.delete(staticAddress(names));
    this.#compute.delete(names.urlMap);
    this.#cloud.removeLoadBalancer(key);
    this.#cloud.releaseAddress(key);
  }

  async #ensure(
    ingress: V1Ingress,
    names: FrontendNames,
    rules: UrlRule[],
    keyPairs: KeyPair[],
    record: (message: string) => void,
  ): Promise<Frontend> {
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
    if (googleClass(ingress) === "gce-internal" && http && https && reserved === undefined) {
      throw new Error("error invalid internal ingress https config");
    }
    if (await this.#compute.insert(names.urlMap)) record(`UrlMap "${names.urlMap}" created`);
    if (http) {
      if (await this.#compute.insert(names.httpProxy)) record(`TargetProxy "${names.httpProxy}" created`);
      await this.#forwardingRule(ingress, names.httpForwardingRule, reserved, record);
    } else {
      this.#removeHttp(names);
    }
    // One address for both rules needs a name of its own: it stays when the certificate goes.
    if (http && https && reserved === undefined) await this.#compute.insert(staticAddress(names));
    if (!https) this.#removeHttps(names);
    this.#program(ingress, names, rules);
    if (https) {
      const certificates = await this.#ensureCertificates(names, preShared, keyPairs);
      await this.#httpsProxy(names.httpsProxy, certificates, record);
      await this.#forwardingRule(ingress, names.httpsForwardingRule, reserved, record);
      this.#program(ingress, names, rules);
    }
    const address = this.#address(names);
    if (address === undefined) throw new Error(`the load balancer of ${ingressKey(ingress)} has no address`);
    return { address, annotations: this.#annotations(names) };
  }

  async #forwardingRule(
    ingress: V1Ingress,
    name: string,
    reserved: string | undefined,
    record: (message: string) => void,
  ): Promise<void> {
    const address =
      reserved === undefined
        ? this.#cloud.allocateAddress(ingressKey(ingress))
        : this.#cloud.staticAddresses.get(reserved);
    if (address === undefined) {
      throw new Error(`the given static IP name ${reserved} doesn't translate to an existing static IP.`);
    }
    const present = this.#addresses.get(name);
    // Without a name any address will do, the one that is there above all.
    if (present === address || (present !== undefined && reserved === undefined)) return;
    if (present !== undefined) {
      this.#compute.delete(name);
      record(`ForwardingRule "${name}" deleted`);
    }
    await this.#compute.insert(name);
    this.#addresses.set(name, address);
    record(`ForwardingRule "${name}" created`);
  }

  /** Returns the certificates made from Secrets, and the names of those that Google has already. */
  async #ensureCertificates(
    names: FrontendNames,
    preShared: string[],
    keyPairs: KeyPair[],
  ): Promise<(string | SslCertificate)[]> {
    const made = new Map<string, SslCertificate>();
    const failures: string[] = [];
    for (const keyPair of keyPairs) {
      const name = certificateName(this.#ids, names.loadBalancer, keyPair.certificate);
      const failure = this.#compute.has(name) ? undefined : this.#certificateRefusal(keyPair);
      if (failure === undefined) {
        await this.#compute.insert(name);
        made.set(name, { name, ...keyPair });
      } else {
        failures.push(`${name} Error:${failure}`);
      }
    }
    if (failures.length > 0) throw new Error(`Cert creation failures - ${failures.join(",")}`);
    return [...preShared, ...made.values()];
  }

  #certificateRefusal({ certificate, privateKey }: KeyPair): string | undefined {
    if (this.#cloud.faults.has("ssl-certificate-quota")) {
      const quota = "QUOTA_EXCEEDED - Quota 'SSL_CERTIFICATES' exceeded.  Limit: 10.0 globally.";
      return `googleapi: Error 403: ${quota}`;
    }
    if (isUsable(certificate, privateKey)) return undefined;
    return "googleapi: Error 400: The SSL certificate could not be parsed., sslCertificateCouldNotParseCert";
  }

  async #httpsProxy(
    proxy: string,
    wanted: (string | SslCertificate)[],
    record: (message: string) => void,
  ): Promise<void> {
    const present = this.#certificates.get(proxy) ?? [];
    const certificates = wanted.map((certificate) => {
      if (typeof certificate !== "string") return certificate;
      const found =
        this.#cloud.sslCertificates.get(certificate) ?? present.find(({ name }) => name === certificate);
      if (found) return found;
      const resource = `projects/${this.#cloud.projectId}/global/sslCertificates/${certificate}`;
      throw new Error(`googleapi: Error 404: The resource '${resource}' was not found, notFound`);
    });
    const created = await this.#compute.insert(proxy);
    this.#certificates.set(proxy, certificates);
    if (created) record(`TargetProxy "${proxy}" created`);
    else if (nameList(present) !== nameList(certificates)) record(`TargetProxy "${proxy}" certs updated`);
    this.#deleteCertificates(
      present.filter(({ name }) => !certificates.some((other) => other.name === name)),
    );
  }

  #removeHttp(names: FrontendNames): void {
    this.#compute.delete(names.httpForwardingRule);
    this.#addresses.delete(names.httpForwardingRule);
    this.#compute.delete(names.httpProxy);
  }

  #removeHttps(names: FrontendNames): void {
    this.#compute.delete(names.httpsForwardingRule);
    this.#addresses.delete(names.httpsForwardingRule);
    this.#compute.delete(names.httpsProxy);
    this.#deleteCertificates(this.#certificates.get(names.httpsProxy) ?? []);
    this.#certificates.delete(names.httpsProxy);
  }

  #deleteCertificates(certificates: SslCertificate[]): void {
    for (const { name } of certificates) this.#compute.delete(name);
  }

  /** Tells the data path what the forwarding rules lead to now. */
  #program(ingress: V1Ingress, names: FrontendNames, rules: UrlRule[]): void {
    const address = this.#address(names);
    const key = ingressKey(ingress);
    if (address === undefined) {
      this.#cloud.removeLoadBalancer(key);
      return;
    }
    const https = this.#addresses.has(names.httpsForwardingRule);
    const loadBalancer: LoadBalancer = {
      ingress: key,
      address,
      http: this.#addresses.has(names.httpForwardingRule),
      certificates: https ? (this.#certificates.get(names.httpsProxy) ?? []) : [],
      rules,
    };
    if (JSON.stringify(this.#cloud.loadBalancers.get(key)) !== JSON.stringify(loadBalancer)) {
      this.#cloud.setLoadBalancer(loadBalancer);
    }
  }

  #address(names: FrontendNames): string | undefined {
    return this.#addresses.get(names.httpForwardingRule) ?? this.#addresses.get(names.httpsForwardingRule);
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
    };
    // Once written it is never taken away.
    if (this.#compute.has(staticAddress(names)))
      annotations[`${STATUS_PREFIX}static-ip`] = names.httpForwardingRule;
    return annotations;
  }

  #names(ingress: V1Ingress): FrontendNames {
    return frontendNames(this.#ids, ingress.metadata?.namespace ?? "", ingress.metadata?.name ?? "");
  }
}

/** Returns an Ingress's key in the work queue and in the cloud: `namespace/name`. */
export function ingressKey(ingress: V1Ingress): string {
  return `${ingress.metadata?.namespace}/${ingress.metadata?.name}`;
}

/** Key of the address that was made static; its name at Google is the HTTP forwarding rule's. */
function staticAddress(names: FrontendNames): string {
  return `address ${names.httpForwardingRule}`;
}

function nameList(certificates: SslCertificate[]): string {
  return certificates.map(({ name }) => name).join(",");
}
