import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { mistakesError } from "../base/mistakes.ts";
import type { PodIdentity } from "../gke/pod-identity.ts";
import type { LoadBalancerSettings } from "../loadbalancer/settings.ts";
import { type ChartSettings, readChart } from "./chart.ts";
import { type ClusterSettings, type GoogleSettings, readCluster, readGoogle } from "./cluster.ts";
import { readLoadBalancer } from "./load-balancer.ts";
import { inputReader, isLabel, isSubdomain, quote } from "./reader.ts";
import { readTools, type ToolSettings } from "./tools.ts";
import { readValues, type ValuesSource } from "./values.ts";

/** All inputs, validated. Durations are milliseconds unless the name says otherwise. */
export interface Settings extends LoadBalancerSettings, ChartSettings, ToolSettings {
  mode: "deploy" | "plan" | "teardown";
  host: string;
  release: string;
  namespace: string;
  /** Install the release if it doesn't exist. */
  install: boolean;
  /** Later values win. */
  values: ValuesSource[];
  helmTimeout: number;
  rollbackOnFailure: boolean;
  /** The age in milliseconds at which a pending release is rolled back; undefined: never. */
  recoverPending: number | undefined;
  cluster: ClusterSettings;
  google: GoogleSettings;
  /** Paths and globs of files with the user's own objects. */
  manifests: string[];
  /** Keep the layer-4 load balancer until Milvus answers through the new one. */
  keepLayer4: boolean;
  /** In mode plan: fail when a deployment would change something. */
  failOnChanges: boolean;
  /** How much the job summary shows. */
  summary: "changes" | "full" | "none";
  /** Where the run reports, beside the job summary. */
  comment: "none" | "pull_request";
  /** Empty without one. */
  githubToken: string;
  /** Consent to put a Milvus without authentication on the Internet. */
  allowAnonymous: boolean;
  /** On teardown, restore the release's former Service type and TLS settings. */
  restoreLayer4: boolean;
  waitFor: "ready" | "certificate" | "address" | "none";
  addressTimeout: number;
  backendsTimeout: number;
  certificateTimeout: number;
  certificatePresentedTimeout: number;
  verify: boolean;
  /** `host:port` to dial instead of the load balancer's address. */
  verifyAddress: string | undefined;
  milvusToken: string | undefined;
}

/**
 * Reads and validates every input.
 *
 * @param input returns an input's text, empty when it isn't set
 * @param workspace the folder that relative paths start from
 * @param identity the ServiceAccount of this runner's pod, if it has one
 * @throws ActionError with all mistakes together, each naming the input, its value and what is allowed
 */
export function readSettings(
  input: (name: string) => string,
  workspace: string,
  identity?: PodIdentity,
): Settings {
  const reader = inputReader(input);
  const { mistakes, text, optional, refuse, oneOf, flag, limit } = reader;

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

  const mode = oneOf("mode", ["deploy", "plan", "teardown"]);
  const settings: Settings = {
    mode,
    host,
    release,
    namespace,
    ...readChart(reader),
    install: flag("install", false),
    // A teardown restores the release's former values, whatever the inputs' values are by now.
    values: mode === "teardown" ? [] : readValues(reader, workspace),
    helmTimeout: limit("helm_timeout", "15m"),
    rollbackOnFailure: flag("rollback_on_failure", true),
    recoverPending: reader.limitOrNever("recover_pending"),
    cluster: readCluster(reader, identity),
    google: readGoogle(reader),
    manifests: reader.lines("manifests"),
    ...readLoadBalancer(reader, host, release),
    keepLayer4: flag("keep_layer4", true),
    allowAnonymous: flag("allow_anonymous", false),
    failOnChanges: flag("fail_on_changes", false),
    summary: oneOf("summary", ["changes", "full", "none"]),
    comment: oneOf("comment", ["none", "pull_request"]),
    githubToken: text("github_token"),
    restoreLayer4: flag("restore_layer4", false),
    waitFor: oneOf("wait_for", ["ready", "certificate", "address", "none"]),
    addressTimeout: limit("address_timeout", "45m"),
    backendsTimeout: limit("backends_timeout", "15m"),
    certificateTimeout: limit("certificate_timeout", "60m"),
    certificatePresentedTimeout: limit("certificate_presented_timeout", "45m"),
    verify: flag("verify", true),
    verifyAddress,
    milvusToken: optional("milvus_token"),
    ...readTools(reader),
  };
  if (settings.comment === "pull_request" && settings.githubToken === "") {
    mistakes.push("github_token is required: comment: pull_request writes the comment with it");
  }
  if (mistakes.length > 0) {
    const count = mistakes.length === 1 ? "An input is" : `${mistakes.length} inputs are`;
    throw mistakesError(`${count} not usable; nothing was changed.`, mistakes, { workspace });
  }
  return settings;
}

/** Tells whether a run ends only when the load balancer is proven to work. */
export function endsProven({ waitFor }: Pick<Settings, "waitFor">): boolean {
  return waitFor === "ready" || waitFor === "certificate";
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
  if (host.includes("/")) return "has a path: give the host name alone, e.g. my-release.milvus.io";
  const plain = domainToASCII(host.replace(/\.$/, ""));
  if (/^[\p{L}\p{M}\p{N}.-]+$/u.test(host) && plain !== host && isDnsName(plain)) {
    return `is not in lower case, in ASCII and without a dot at its end: write ${quote(plain)}`;
  }
  if (!isDnsName(host))
    return "is not a host name (lower-case letters, digits, '-' and '.', labels of at most 63 characters)";
  return undefined;
}

/** An RFC 1123 subdomain whose labels also fit into DNS. */
function isDnsName(name: string): boolean {
  return name.length <= 253 && name.split(".").every(isLabel);
}
