import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { parseDuration } from "./duration.ts";
import { ActionError, messageOf } from "./errors.ts";
import type { EndpointChoice } from "./gke/cluster.ts";
import type { CredentialInputs } from "./gke/credential-source.ts";
import { parseYamlMap, type YamlMap } from "./yaml.ts";

/** Which cluster: one that Google describes, or one that a kubeconfig does. */
export type ClusterSettings =
  | {
      kind: "gke";
      projectId: string | undefined;
      location: string;
      name: string;
      endpoint: EndpointChoice;
      /** Undefined: the cluster's own. */
      fleetMembership: string | undefined;
      credentials: CredentialInputs;
    }
  | { kind: "kubeconfig"; kubeconfig: string | undefined; context: string | undefined };

/** YAML that the user lays over the release's values. */
export interface ValuesSource {
  /** The input's name or the file's path, for messages. */
  origin: string;
  /** The text as given: Helm gets this, so that it reads what the user wrote. */
  text: string;
  values: YamlMap;
}

/** All inputs, validated. Durations are milliseconds unless the name says otherwise. */
export interface Settings {
  mode: "deploy" | "plan";
  host: string;
  release: string;
  namespace: string;
  chart: string;
  /** Undefined for a chart given by path or `oci://` reference. */
  chartRepository: string | undefined;
  /** Undefined: the deployed one. */
  chartVersion: string | undefined;
  /** In the order in which Helm lays them over each other. */
  values: ValuesSource[];
  helmTimeout: number;
  rollbackOnFailure: boolean;
  /** The age at which a pending release is rolled back; undefined: never. */
  recoverPending: number | undefined;
  cluster: ClusterSettings;
  tlsSecret: string;
  ingressName: string;
  backendConfigName: string;
  allowHttp: boolean;
  backendTimeoutSeconds: number;
  waitFor: "ready" | "address" | "none";
  addressTimeout: number;
  backendsTimeout: number;
  verify: boolean;
  /** `host:port` to dial instead of the load balancer's address. */
  verifyAddress: string | undefined;
  milvusToken: string | undefined;
  kubectlVersion: string;
  helmVersion: string;
  gcloudVersion: string;
  gcloudSha256: string | undefined;
  kubectlMirror: string;
  helmMirror: string;
  gcloudMirror: string;
}

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** An RFC 1123 subdomain: the names of releases and of most Kubernetes objects. */
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const CLUSTER_PATH = /^projects\/([^/]+)\/(?:locations|zones|regions)\/([^/]+)\/clusters\/([^/]+)$/;
/** A Node.js timer of more than 2^31 ms, which is 24.9 days, would fire at once. */
const MAX_WAIT_MS = 24 * 86_400_000;
/** The largest `timeoutSec` of a backend service. */
const MAX_BACKEND_TIMEOUT_SECONDS = 2_147_483_647;

/**
 * Reads and validates every input before anything else happens.
 *
 * @param input returns an input's text, empty when it isn't set
 * @param workspace the folder that relative paths start from
 * @throws ActionError with all mistakes together, each naming the input, its value and what is allowed
 */
export function readSettings(input: (name: string) => string, workspace: string): Settings {
  const mistakes: string[] = [];

  const text = (name: string) => input(name).trim();
  const optional = (name: string) => text(name) || undefined;
  const mistake = (name: string, allowed: string) => {
    const value = text(name);
    mistakes.push(
      value === "" ? `${name} is required: ${allowed}` : `${name}: ${quote(value)} is not ${allowed}`,
    );
  };
  const oneOf = <T extends string>(name: string, allowed: readonly [T, ...T[]]): T => {
    const value = text(name) || allowed[0];
    const known = allowed.find((candidate) => candidate === value);
    if (known === undefined) mistake(name, `one of ${allowed.join(", ")}`);
    return known ?? allowed[0];
  };
  const flag = (name: string, fallback: boolean): boolean => {
    const value = text(name).toLowerCase();
    if (value !== "" && value !== "true" && value !== "false") mistake(name, "true or false");
    return value === "" ? fallback : value === "true";
  };
  const duration = (name: string, fallback: string): number => {
    const milliseconds = parseDuration(text(name) || fallback);
    if (milliseconds === undefined || milliseconds <= 0) {
      mistake(name, "a duration above zero such as 90s, 45m or 1h30m");
    }
    return milliseconds ?? 0;
  };
  const limit = (name: string, fallback: string): number => {
    const milliseconds = duration(name, fallback);
    if (milliseconds > MAX_WAIT_MS) mistake(name, "a duration of at most 24 days (576h)");
    return milliseconds;
  };
  const limitOrNever = (name: string): number | undefined => {
    if (/^(never)?$/.test(text(name))) return undefined;
    if (parseDuration(text(name)) === undefined) mistake(name, "never or a duration such as 20m or 1h30m");
    else return limit(name, "");
    return undefined;
  };
  const objectName = (name: string, fallback: string): string => {
    const value = text(name);
    if (value === "") return fallback;
    if (value.length > 253 || !SUBDOMAIN.test(value)) {
      mistake(
        name,
        "a Kubernetes object name (lower-case letters, digits, '-' and '.', at most 253 characters)",
      );
    }
    return value;
  };
  const url = (name: string, fallback: string): string => {
    const value = text(name) || fallback;
    if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) mistake(name, "an http(s) URL");
    return value.replace(/\/+$/, "");
  };

  const host = text("host");
  const hostProblem = problemOfHost(host);
  if (hostProblem) mistakes.push(`host${host === "" ? " is required: " : `: ${quote(host)} `}${hostProblem}`);

  const release = text("release") || "my-release";
  if (release.length > 53 || !SUBDOMAIN.test(release)) {
    mistake(
      "release",
      "a Helm release name (lower-case letters, digits, '-' and '.', at most 53 characters)",
    );
  }
  const namespace = text("namespace") || "default";
  if (!DNS_LABEL.test(namespace)) {
    mistake("namespace", "a namespace (lower-case letters, digits and '-', at most 63 characters)");
  }

  const backendTimeout = duration("backend_timeout", "1h");
  if (backendTimeout % 1000 !== 0 || backendTimeout / 1000 > MAX_BACKEND_TIMEOUT_SECONDS) {
    mistake("backend_timeout", `a duration in whole seconds, at most ${MAX_BACKEND_TIMEOUT_SECONDS}s`);
  }
  const verifyAddress = optional("verify_address");
  const [, port] = /^(?:\[[0-9a-fA-F:]+\]|[^\s:/]+):(\d{1,5})$/.exec(verifyAddress ?? "") ?? [];
  if (verifyAddress && !(Number(port) >= 1 && Number(port) <= 65_535)) {
    mistake("verify_address", "host:port, e.g. localhost:8443");
  }
  const chartVersion = optional("chart_version");
  if (chartVersion && !/^v?\d+\.\d+\.\d+[-+.0-9A-Za-z]*$/.test(chartVersion)) {
    mistake("chart_version", "an exact chart version such as 5.0.19");
  }
  const chart = text("chart") || "milvus";
  if (chart.startsWith("-")) mistake("chart", "a chart's name, a path or an oci:// reference");

  const settings: Settings = {
    mode: oneOf("mode", ["deploy", "plan"]),
    host,
    release,
    namespace,
    chart,
    chartRepository: isChartName(chart)
      ? url("chart_repository", "https://zilliztech.github.io/milvus-helm")
      : undefined,
    chartVersion,
    values: readValues(input, workspace, mistakes),
    helmTimeout: limit("helm_timeout", "15m"),
    rollbackOnFailure: flag("rollback_on_failure", true),
    recoverPending: limitOrNever("recover_pending"),
    cluster: readCluster(
      text,
      oneOf("endpoint", ["auto", "public", "private", "dns", "connect_gateway"]),
      mistakes,
    ),
    tlsSecret: objectName("tls_secret", `${release}-milvus-tls`),
    ingressName: objectName("ingress_name", `${release}-milvus`),
    backendConfigName: objectName("backend_config_name", `${release}-backendconfig`),
    allowHttp: flag("allow_http", false),
    backendTimeoutSeconds: backendTimeout / 1000,
    waitFor: oneOf("wait_for", ["ready", "address", "none"]),
    addressTimeout: limit("address_timeout", "45m"),
    backendsTimeout: limit("backends_timeout", "15m"),
    verify: flag("verify", true),
    verifyAddress,
    milvusToken: optional("milvus_token"),
    kubectlVersion: text("kubectl_version") || "auto",
    helmVersion: text("helm_version") || "auto",
    gcloudVersion: text("gcloud_version") || "auto",
    gcloudSha256: optional("gcloud_sha256"),
    kubectlMirror: url("kubectl_mirror", "https://dl.k8s.io"),
    helmMirror: url("helm_mirror", "https://get.helm.sh"),
    gcloudMirror: url("gcloud_mirror", "https://dl.google.com"),
  };
  if (mistakes.length > 0) {
    const count = mistakes.length === 1 ? "An input is" : `${mistakes.length} inputs are`;
    throw new ActionError(`${count} not usable; nothing was changed.\n- ${mistakes.join("\n- ")}`);
  }
  return settings;
}

/** Tells a chart's name, which needs a repository, from a path and from an `oci://` reference. */
function isChartName(chart: string): boolean {
  return (
    !/^(\.{0,2}[\\/]|[A-Za-z]:[\\/]|oci:\/\/|https?:\/\/)/.test(chart) &&
    !/[\\/]/.test(chart) &&
    chart !== "."
  );
}

/** Returns what is wrong with a host name for an Ingress rule (RFC 1123), or undefined. */
function problemOfHost(host: string): string | undefined {
  if (host === "") return "the name that clients use, e.g. my-release.milvus.io";
  if (host.includes("://")) return "is a URL: give the host name alone, e.g. my-release.milvus.io";
  if (isIP(host) === 0 && /:\d+$/.test(host))
    return "has a port: give the host name alone, clients always use port 443";
  if (host.includes("*")) return "has a wildcard: give the one name that clients use";
  if (/^[\d.]+$/.test(host) || host.includes(":")) {
    return "is an IP address: an Ingress rule and a certificate need a host name";
  }
  if (host !== host.toLowerCase()) return `is not in lower case: write ${quote(host.toLowerCase())}`;
  if (!isDnsName(host))
    return "is not a host name (lower-case letters, digits, '-' and '.', labels of at most 63 characters)";
  return undefined;
}

/** An RFC 1123 subdomain whose labels also fit into DNS. */
function isDnsName(name: string): boolean {
  return name.length <= 253 && name.split(".").every((label) => DNS_LABEL.test(label));
}

function readValues(input: (name: string) => string, workspace: string, mistakes: string[]): ValuesSource[] {
  const sources: ValuesSource[] = [];
  const add = (origin: string, read: () => string) => {
    try {
      const text = read();
      sources.push({ origin, text, values: parseYamlMap(text, origin) });
    } catch (error) {
      mistakes.push(
        error instanceof ActionError ? error.message : `${origin} can't be read: ${messageOf(error)}`,
      );
    }
  };
  const files = input("values_files")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  for (const file of files)
    add(`values_files: ${file}`, () => readFileSync(resolve(workspace, file), "utf8"));
  const inline = input("values");
  if (inline.trim() !== "") add("values", () => inline);
  return sources;
}

function readCluster(
  text: (name: string) => string,
  endpoint: EndpointChoice,
  mistakes: string[],
): ClusterSettings {
  const kubeconfig = text("kubeconfig") || undefined;
  const context = text("context") || undefined;
  if (kubeconfig || context) return { kind: "kubeconfig", kubeconfig, context };

  const credentials: CredentialInputs = {
    credentialsJson: text("credentials_json") || undefined,
    workloadIdentityProvider: text("workload_identity_provider") || undefined,
    serviceAccount: text("service_account") || undefined,
  };
  const fleetMembership = text("fleet_membership") || undefined;
  if (fleetMembership && endpoint !== "connect_gateway") {
    mistakes.push("fleet_membership goes with endpoint: connect_gateway only");
  }
  const route = { endpoint, fleetMembership, credentials };
  const name = text("cluster_name");
  const [, project, location, cluster] = CLUSTER_PATH.exec(name) ?? [];
  if (project && location && cluster) {
    return { kind: "gke", projectId: project, location, name: cluster, ...route };
  }
  if (name === "") {
    mistakes.push(
      "cluster_name is required: the GKE cluster's name (or set kubeconfig to use another way in)",
    );
  } else if (!DNS_LABEL.test(name)) {
    mistakes.push(
      `cluster_name: ${quote(name)} is not a cluster's name nor projects/P/locations/L/clusters/C`,
    );
  }
  if (text("location") === "") {
    mistakes.push("location is required: the cluster's region or zone, e.g. us-central1");
  }
  const projectId = text("project_id") || undefined;
  return { kind: "gke", projectId, location: text("location"), name, ...route };
}

function quote(value: string): string {
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
}
