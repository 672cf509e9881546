import { ActionError } from "../base/errors.ts";
import { canonicalRange } from "../base/ip-range.ts";
import { isMap, parseYamlMap, type YamlMap } from "../base/yaml.ts";
import { valueAt } from "../helm/values.ts";
import { backendConfigSpec } from "../loadbalancer/backend-config.ts";
import { problemsOfGiven } from "../loadbalancer/given-certificate.ts";
import { authoritySecretName } from "../loadbalancer/references.ts";
import type { CertificateSettings, LoadBalancerSettings } from "../loadbalancer/settings.ts";
import { plainPem } from "./pem.ts";
import { type InputReader, isSubdomain, quote } from "./reader.ts";

/** The largest `timeoutSec` of a backend service. */
const MAX_BACKEND_TIMEOUT_SECONDS = 2_147_483_647;
/** The largest `connectionDraining.drainingTimeoutSec` of a backend service (compute API). */
const MAX_DRAINING_SECONDS = 3600;
/** A name of a certificate, an address or a zone at Google (RFC 1035, compute API). */
const GOOGLE_NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** spec.domains of a ManagedCertificate (gke-managed-certs, deploy/managedcertificates-crd.yaml). */
const MAX_MANAGED_DOMAIN = 63;

/** Reads the inputs about the load balancer, its certificate, its address and DNS. */
export function readLoadBalancer(reader: InputReader, host: string, release: string): LoadBalancerSettings {
  const { mistakes, text, flag, objectName, oneOf } = reader;
  const backendTimeoutSeconds = readBackendTimeout(reader);
  const loadBalancer = oneOf("load_balancer", ["external", "internal"]);
  const certificate = readCertificate(reader, host, loadBalancer);
  if (loadBalancer === "internal" && certificate.kind === "google-managed") {
    mistakes.push(
      "certificate: google-managed goes with load_balancer: external only: Google can't check a name with an internal address (use self-managed, secret or pre-shared)",
    );
  }
  const address = readAddress(reader);
  const allowHttp = flag("allow_http", false);
  if (loadBalancer === "internal" && allowHttp && !address.staticIpName) {
    mistakes.push(
      "allow_http with load_balancer: internal needs static_ip_name: ports 80 and 443 can share only a reserved address",
    );
  }
  const frontendConfig = text("frontend_config") === "" ? undefined : readYaml(reader, "frontend_config");
  if (valueAt(frontendConfig ?? {}, "redirectToHttps", "enabled") && !allowHttp) {
    mistakes.push(
      "frontend_config: redirectToHttps needs allow_http: true: without it, nothing is on port 80 to redirect",
    );
  }
  const backendConfig = readYaml(reader, "backend_config");
  const problem = problemOfBackendConfig(backendConfig, backendTimeoutSeconds);
  if (problem) mistakes.push(`backend_config: ${problem}`);
  if (loadBalancer === "internal") mistakes.push(...problemsOfInternal(backendConfig, frontendConfig ?? {}));
  const tlsSecret = readTlsSecret(reader, release, certificate);
  const allowedRanges = readRanges(reader, loadBalancer, backendConfig);
  const ingressName = objectName("ingress_name", `${release}-milvus`);
  if (ingressName.includes(".")) {
    mistakes.push(
      `ingress_name: ${quote(ingressName)} has a dot, which the load balancer's name at Google can't have`,
    );
  }

  return {
    ...address,
    certificate,
    isCertificateGiven: ["certificate", "tls_certificate", "tls_secret", "pre_shared_certificates"].some(
      (name) => text(name) !== "",
    ),
    tlsSecret,
    ingressName,
    backendConfigName: objectName("backend_config_name", `${release}-backendconfig`),
    frontendConfigName: `${release}-frontendconfig`,
    backendConfig,
    frontendConfig,
    loadBalancer,
    allowedRanges,
    allowHttp,
    isAllowHttpGiven: text("allow_http") !== "",
    backendTimeoutSeconds,
    adopt: flag("adopt", false),
  };
}

/** Returns the longest call through the load balancer, in seconds. Its input had another name before. */
function readBackendTimeout({ mistakes, optional, duration, refuse }: InputReader): number {
  const name = optional("backend_timeout") ? "backend_timeout" : "request_timeout";
  if (optional("backend_timeout") && optional("request_timeout")) {
    mistakes.push("backend_timeout is the old name of request_timeout: set request_timeout alone");
  }
  const seconds = duration(name, "1h") / 1000;
  if (!Number.isInteger(seconds) || seconds > MAX_BACKEND_TIMEOUT_SECONDS) {
    refuse(name, `a duration in whole seconds, at most ${MAX_BACKEND_TIMEOUT_SECONDS}s`);
  }
  return seconds;
}

/** Reads the inputs about the reserved address and the DNS zone. */
function readAddress({
  mistakes,
  optional,
  flag,
  refuse,
}: InputReader): Pick<
  LoadBalancerSettings,
  "staticIpName" | "createStaticIp" | "deleteStaticIp" | "dnsZone" | "dnsProjectId"
> {
  const googleName = (name: string): string | undefined => {
    const value = optional(name);
    if (value && !GOOGLE_NAME.test(value)) {
      refuse(name, "a name at Google Cloud (lower-case letters, digits and '-', at most 63 characters)");
    }
    return value;
  };
  const staticIpName = googleName("static_ip_name");
  const createStaticIp = flag("create_static_ip", false);
  const deleteStaticIp = flag("delete_static_ip", false);
  for (const [name, wanted] of Object.entries({
    create_static_ip: createStaticIp,
    delete_static_ip: deleteStaticIp,
  })) {
    if (wanted && !staticIpName) mistakes.push(`${name} needs static_ip_name: the address's name`);
  }
  const dnsZone = googleName("dns_zone");
  const dnsProjectId = optional("dns_project_id");
  if (dnsProjectId && !dnsZone) mistakes.push("dns_project_id goes with dns_zone only");
  return { staticIpName, createStaticIp, deleteStaticIp, dnsZone, dnsProjectId };
}

function readTlsSecret(
  { objectName, refuse }: InputReader,
  release: string,
  certificate: CertificateSettings,
): string {
  const tlsSecret = objectName("tls_secret", `${release}-milvus-tls`);
  const isLong = isSubdomain(tlsSecret) && !isSubdomain(authoritySecretName(tlsSecret));
  if (isLong && certificate.kind === "self-managed") {
    refuse("tls_secret", "a name of at most 250 characters: its authority's Secret ends in -ca");
  }
  return tlsSecret;
}

function readCertificate(
  { mistakes, oneOf, raw, text, refuse }: InputReader,
  host: string,
  loadBalancer: LoadBalancerSettings["loadBalancer"],
): CertificateSettings {
  const kind = oneOf("certificate", ["self-managed", "google-managed", "secret", "pre-shared"]);
  const pem = (name: string) => plainPem(raw(name));
  const [certificate, privateKey] = [pem("tls_certificate"), pem("tls_private_key")];
  const names = listIn(text("pre_shared_certificates"));
  if (kind !== "self-managed" && (certificate !== "" || privateKey !== "")) {
    mistakes.push("tls_certificate and tls_private_key go with certificate: self-managed only");
  }
  if (kind !== "pre-shared" && names.length > 0) {
    mistakes.push("pre_shared_certificates goes with certificate: pre-shared only");
  }
  switch (kind) {
    case "self-managed": {
      if (certificate === "" && privateKey === "") return { kind, given: undefined };
      if (certificate === "" || privateKey === "") {
        const missing = certificate === "" ? "tls_certificate" : "tls_private_key";
        mistakes.push(`${missing} is required: tls_certificate and tls_private_key belong together`);
        return { kind, given: undefined };
      }
      const given = { certificate: `${certificate}\n`, privateKey: `${privateKey}\n` };
      // A missing host is reported by itself. On a teardown the certificate may have expired.
      if (host !== "" && text("mode") !== "teardown")
        mistakes.push(...problemsOfGiven(given, host, loadBalancer, Date.now()));
      return { kind, given };
    }
    case "google-managed":
      if (host.length > MAX_MANAGED_DOMAIN) {
        mistakes.push(
          `host: ${quote(host)} has more than ${MAX_MANAGED_DOMAIN} characters, the limit of certificate: google-managed`,
        );
      }
      if (isSubdomain(host) && !host.includes(".")) {
        mistakes.push(
          `host: ${quote(host)} is not a public name: Google makes no certificate for it (certificate: google-managed)`,
        );
      }
      return { kind };
    case "pre-shared":
      if (names.length === 0) refuse("pre_shared_certificates", "the names of SSL certificates at Google");
      for (const name of names.filter((each) => !GOOGLE_NAME.test(each))) {
        mistakes.push(
          `pre_shared_certificates: ${quote(name)} is not a name of an SSL certificate at Google`,
        );
      }
      return { kind, names };
    case "secret":
      return { kind };
  }
}

/** Returns the items of a list that commas, blanks or lines separate. */
function listIn(text: string): string[] {
  return text.split(/[\s,]+/).filter((item) => item !== "");
}

/** Returns the ranges of `allowed_ranges` in canonical form, each once. */
function readRanges(
  { text, mistakes }: InputReader,
  loadBalancer: LoadBalancerSettings["loadBalancer"],
  backendConfig: YamlMap,
): string[] {
  const ranges = listIn(text("allowed_ranges")).map((item) => {
    const range = canonicalRange(item);
    const problem = range === undefined ? NO_RANGE : problemOfRange(item, range);
    if (problem) mistakes.push(`allowed_ranges: ${quote(item)} ${problem}`);
    return range ?? "";
  });
  if (ranges.length > 0 && loadBalancer === "internal") {
    mistakes.push(
      "allowed_ranges goes with load_balancer: external only: Google's internal load balancers can't have a Cloud Armor policy (a firewall rule or a network policy restricts their clients)",
    );
  }
  if (ranges.length > 0 && backendConfig.securityPolicy !== undefined) {
    mistakes.push(
      "allowed_ranges makes a Cloud Armor policy, and backend_config names one (securityPolicy): a load balancer can have one of them only",
    );
  }
  return [...new Set(ranges)].sort();
}

const NO_RANGE = "is not an IP range such as 203.0.113.0/24 or 2001:db8::/32";

/** Returns what is wrong with a range that can be read. */
function problemOfRange(item: string, range: string): string | undefined {
  if (range.endsWith("/0")) return "admits everybody: leave allowed_ranges out for that";
  const single = canonicalRange(item.replace(/\/.*$/, ""));
  const isNetwork = single?.replace(/\/.*$/, "") === range.replace(/\/.*$/, "");
  return isNetwork
    ? undefined
    : `has bits after its prefix: write ${range}, or ${single} for the one address`;
}

function readYaml({ raw, mistakes }: InputReader, name: string): YamlMap {
  try {
    const spec = parseYamlMap(raw(name), name);
    if ("apiVersion" in spec || "kind" in spec) {
      mistakes.push(`${name} is a whole object: give what stands below its spec alone`);
    }
    return spec;
  } catch (error) {
    if (!(error instanceof ActionError)) throw error;
    mistakes.push(error.message);
    return {};
  }
}

/**
 * Returns what an internal load balancer can't have (kubernetes/ingress-gce, pkg/backends and
 * pkg/loadbalancers).
 */
function problemsOfInternal(backendConfig: YamlMap, frontendConfig: YamlMap): string[] {
  const given = {
    "backend_config: securityPolicy": backendConfig.securityPolicy,
    "frontend_config: redirectToHttps": valueAt(frontendConfig, "redirectToHttps", "enabled"),
    // The controller makes a global policy, which a regional proxy can't use.
    "frontend_config: sslPolicy": frontendConfig.sslPolicy,
  };
  return Object.entries(given)
    .filter(([, value]) => Boolean(value))
    .map(([name]) => `${name} goes with load_balancer: external only`);
}

/** Returns what Google would refuse in the BackendConfig, beyond what the API server checks. */
function problemOfBackendConfig(overlay: YamlMap, timeoutSeconds: number): string | undefined {
  const plain = ["healthCheck", "cdn"].find((name) => overlay[name] !== undefined && !isMap(overlay[name]));
  if (plain) return `${plain} must be a map`;
  const { healthCheck, cdn, ...others } = backendConfigSpec(timeoutSeconds, overlay);
  const { checkIntervalSec: interval, timeoutSec: timeout } = healthCheck;
  if (typeof interval === "number" && typeof timeout === "number" && timeout > interval) {
    return `healthCheck.timeoutSec ${timeout} is above checkIntervalSec ${interval}: Google refuses that`;
  }
  const draining = valueAt(others, "connectionDraining", "drainingTimeoutSec");
  if (typeof draining === "number" && draining > MAX_DRAINING_SECONDS) {
    return `connectionDraining.drainingTimeoutSec ${draining} is above ${MAX_DRAINING_SECONDS}: Google refuses that`;
  }
  if (cdn?.enabled) return "cdn.enabled: Cloud CDN doesn't cache gRPC, and breaks it";
  return undefined;
}
