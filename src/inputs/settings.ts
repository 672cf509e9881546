import { isIP } from "node:net";
import { ActionError } from "../base/errors.ts";
import { type Login, withoutLogin } from "../base/url.ts";
import type { EndpointChoice } from "../gke/cluster.ts";
import type { CredentialInputs } from "../gke/credential-source.ts";
import type { LoadBalancerSettings } from "../loadbalancer/settings.ts";
import { parseWanted } from "../tools/version.ts";
import { readLoadBalancer } from "./load-balancer.ts";
import { type InputReader, inputReader, isLabel, isSubdomain, quote } from "./reader.ts";
import type { ValuesSource } from "./values.ts";
import { readValues } from "./values.ts";

/** Which cluster: one that Google describes, or one that a kubeconfig does. */
export type ClusterSettings =
  | {
      kind: "gke";
      location: string;
      name: string;
      endpoint: EndpointChoice;
      /** Undefined: the cluster's own. */
      fleetMembership: string | undefined;
    }
  | { kind: "kubeconfig"; kubeconfig: string | undefined; context: string | undefined };

/** Which project of Google's, and as whom. */
export interface GoogleSettings {
  /** Undefined: the credentials' own. */
  projectId: string | undefined;
  /** The region or zone; undefined when only a kubeconfig is given. */
  location: string | undefined;
  credentials: CredentialInputs;
}

/** All inputs, validated. Durations are milliseconds unless the name says otherwise. */
export interface Settings extends LoadBalancerSettings {
  mode: "deploy" | "plan" | "teardown";
  host: string;
  release: string;
  namespace: string;
  chart: string;
  /** Undefined for a chart given by path or `oci://` reference. */
  chartRepository: string | undefined;
  /** What the repository asks for, if anything. */
  chartLogin: Login | undefined;
  /** Undefined: the deployed one. */
  chartVersion: string | undefined;
  /** Install the release when there is none of that name. */
  install: boolean;
  /** In the order in which Helm lays them over each other. */
  values: ValuesSource[];
  helmTimeout: number;
  rollbackOnFailure: boolean;
  /** The age at which a pending release is rolled back; undefined: never. */
  recoverPending: number | undefined;
  cluster: ClusterSettings;
  google: GoogleSettings;
  /** Files and globs of objects to apply together with this action's own. */
  manifests: string[];
  /** Keep the layer-4 load balancer until Milvus answers through the new one. */
  keepLayer4: boolean;
  /** On teardown, give the release the Service type and TLS settings back that it had before. */
  restoreLayer4: boolean;
  waitFor: "ready" | "certificate" | "address" | "none";
  addressTimeout: number;
  backendsTimeout: number;
  certificateTimeout: number;
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

const PROVIDER = /^projects\/[^/]+\/locations\/global\/workloadIdentityPools\/[^/]+\/providers\/[^/]+$/;
const CLUSTER_PATH = /^projects\/([^/]+)\/(?:locations|zones|regions)\/([^/]+)\/clusters\/([^/]+)$/;
/**
 * Reads and validates every input before anything else happens.
 *
 * @param input returns an input's text, empty when it isn't set
 * @param workspace the folder that relative paths start from
 * @throws ActionError with all mistakes together, each naming the input, its value and what is allowed
 */
export function readSettings(input: (name: string) => string, workspace: string): Settings {
  const reader = inputReader(input);
  const { mistakes, text, optional, refuse, oneOf, flag, limit, url } = reader;

  const host = text("host");
  const hostProblem = problemOfHost(host);
  if (hostProblem) mistakes.push(`host${host === "" ? " is required: " : `: ${quote(host)} `}${hostProblem}`);

  const release = text("release") || "my-release";
  if (release.length > 53 || !isSubdomain(release)) {
    refuse("release", "a Helm release name (lower-case letters, digits, '-' and '.', at most 53 characters)");
  }
  const namespace = text("namespace") || "default";
  if (!isLabel(namespace)) {
    refuse("namespace", "a namespace (lower-case letters, digits and '-', at most 63 characters)");
  }

  const verifyAddress = optional("verify_address");
  const [, port] = /^(?:\[[0-9a-fA-F:]+\]|[^\s:/]+):(\d{1,5})$/.exec(verifyAddress ?? "") ?? [];
  if (verifyAddress && !(Number(port) >= 1 && Number(port) <= 65_535)) {
    refuse("verify_address", "host:port, e.g. localhost:8443");
  }
  const chartVersion = optional("chart_version");
  if (chartVersion && !/^v?\d+\.\d+\.\d+[-+.0-9A-Za-z]*$/.test(chartVersion)) {
    refuse("chart_version", "an exact chart version such as 5.0.19");
  }
  const chart = text("chart") || "milvus";
  if (chart.startsWith("-")) refuse("chart", "a chart's name, a path or an oci:// reference");
  // What is behind the @ of an OCI reference is a digest.
  if (/:\/\/.*@(?!sha256:)/.test(chart)) {
    mistakes.push(
      "chart: has a user or a password in it: give the chart's name alone, and those in chart_repository, or log in with helm registry login beforehand for oci://",
    );
  }
  const repository = isChartName(chart) ? readRepository(reader) : undefined;

  const mode = oneOf("mode", ["deploy", "plan", "teardown"]);
  const settings: Settings = {
    mode,
    host,
    release,
    namespace,
    chart,
    chartRepository: repository?.base,
    chartLogin: repository?.login,
    chartVersion,
    install: flag("install", false),
    // A teardown gives the release its former values back, whatever these have become.
    values: mode === "teardown" ? [] : readValues(reader, workspace),
    helmTimeout: limit("helm_timeout", "15m"),
    rollbackOnFailure: flag("rollback_on_failure", true),
    recoverPending: reader.limitOrNever("recover_pending"),
    cluster: readCluster(reader),
    google: readGoogle(reader),
    manifests: reader.lines("manifests"),
    ...readLoadBalancer(reader, host, release),
    keepLayer4: flag("keep_layer4", false),
    restoreLayer4: flag("restore_layer4", false),
    waitFor: oneOf("wait_for", ["ready", "certificate", "address", "none"]),
    addressTimeout: limit("address_timeout", "45m"),
    backendsTimeout: limit("backends_timeout", "15m"),
    certificateTimeout: limit("certificate_timeout", "60m"),
    verify: flag("verify", true),
    verifyAddress,
    milvusToken: optional("milvus_token"),
    kubectlVersion: readVersion(reader, "kubectl_version"),
    helmVersion: readVersion(reader, "helm_version"),
    ...readGcloud(reader),
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

/** Tells whether a run ends only when the load balancer is proven to work. */
export function endsProven({ waitFor }: Pick<Settings, "waitFor">): boolean {
  return waitFor === "ready" || waitFor === "certificate";
}

/** Tells a chart's name, which needs a repository, from a path and from an `oci://` reference. */
function isChartName(chart: string): boolean {
  return (
    !/^(\.{0,2}[\\/]|[A-Za-z]:[\\/]|oci:\/\/|https?:\/\/)/.test(chart) &&
    !/[\\/]/.test(chart) &&
    chart !== "."
  );
}

function readRepository({ url, mistakes }: InputReader): ReturnType<typeof withoutLogin> | undefined {
  const given = url("chart_repository", "https://zilliztech.github.io/milvus-helm");
  // What is no URL was refused already.
  if (!URL.canParse(given)) return undefined;
  const repository = withoutLogin(given);
  const { login } = repository;
  if (login && (login.user === "" || login.password === "")) {
    mistakes.push("chart_repository has a user or a password, but not both: Helm needs both");
  }
  return repository;
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
  return name.length <= 253 && name.split(".").every(isLabel);
}

function readVersion({ text, refuse }: InputReader, name: string, ...others: string[]): string {
  const version = text(name) || "auto";
  if (!others.includes(version) && !parseWanted(version)) {
    const words = ["auto", "latest", ...others].join(", ");
    refuse(name, `${words}, an exact version such as 1.2.3, nor a semver range such as 1.2 or >=1.2 <2`);
  }
  return version;
}

function readGcloud(reader: InputReader): Pick<Settings, "gcloudVersion" | "gcloudSha256"> {
  const gcloudVersion = readVersion(reader, "gcloud_version", "none");
  const gcloudSha256 = reader.optional("gcloud_sha256");
  if (gcloudSha256 && !/^[0-9a-f]{64}$/i.test(gcloudSha256)) {
    reader.refuse("gcloud_sha256", "the 64 hexadecimal digits that sha256sum prints for the archive");
  }
  if (gcloudSha256 && parseWanted(gcloudVersion)?.kind !== "exact") {
    reader.mistakes.push(
      `gcloud_sha256 is that of one archive: it needs an exact gcloud_version, which is ${quote(gcloudVersion)}`,
    );
  }
  return { gcloudVersion, gcloudSha256 };
}

function readCluster({ text, oneOf, mistakes }: InputReader): ClusterSettings {
  const endpoint = oneOf<EndpointChoice>("endpoint", ["auto", "public", "private", "dns", "connect_gateway"]);
  const kubeconfig = text("kubeconfig") || undefined;
  const context = text("context") || undefined;
  if (kubeconfig || context) return { kind: "kubeconfig", kubeconfig, context };

  const fleetMembership = text("fleet_membership") || undefined;
  if (fleetMembership && endpoint !== "connect_gateway") {
    mistakes.push("fleet_membership goes with endpoint: connect_gateway only");
  }
  const route = { endpoint, fleetMembership };
  const name = text("cluster_name");
  const [, , location, cluster] = CLUSTER_PATH.exec(name) ?? [];
  if (location && cluster) return { kind: "gke", location, name: cluster, ...route };
  if (name === "") {
    mistakes.push(
      "cluster_name is required: the GKE cluster's name (or set kubeconfig to use another way in)",
    );
  } else if (!isLabel(name)) {
    mistakes.push(
      `cluster_name: ${quote(name)} is not a cluster's name nor projects/P/locations/L/clusters/C`,
    );
  }
  if (text("location") === "") {
    mistakes.push("location is required: the cluster's region or zone, e.g. us-central1");
  }
  return { kind: "gke", location: text("location"), name, ...route };
}

function readGoogle({ text, optional, refuse, mistakes }: InputReader): GoogleSettings {
  const [, project, location] = CLUSTER_PATH.exec(text("cluster_name")) ?? [];
  const credentialsJson = optional("credentials_json");
  const workloadIdentityProvider = optional("workload_identity_provider");
  const serviceAccount = optional("service_account");
  if (workloadIdentityProvider && !PROVIDER.test(workloadIdentityProvider)) {
    refuse(
      "workload_identity_provider",
      "projects/<project number>/locations/global/workloadIdentityPools/<pool>/providers/<provider>",
    );
  }
  if (workloadIdentityProvider && credentialsJson) {
    mistakes.push("credentials_json and workload_identity_provider are two identities: set one of them");
  }
  if (serviceAccount && !workloadIdentityProvider) {
    mistakes.push("service_account goes with workload_identity_provider only");
  }
  return {
    projectId: project ?? optional("project_id"),
    location: location ?? optional("location"),
    credentials: { credentialsJson, workloadIdentityProvider, serviceAccount },
  };
}
