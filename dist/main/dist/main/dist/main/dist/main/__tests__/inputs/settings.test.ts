import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ActionError } from "../../src/base/errors.ts";
import type { PodIdentity } from "../../src/gke/pod-identity.ts";
import { readSettings, type Settings } from "../../src/inputs/settings.ts";

let workspace = "";
beforeAll(async () => {
  workspace = await mkdtemp(join(tmpdir(), "inputs-"));
  await writeFile(join(workspace, "a.yaml"), "minio:\n  enabled: false\n");
  await writeFile(join(workspace, "b.yaml"), "image:\n  tag: v2\n");
  await writeFile(join(workspace, "empty.yaml"), "# nothing yet\n");
  await writeFile(join(workspace, "latin1.yaml"), Buffer.from("password: pässword\n", "latin1"));
  await writeFile(join(workspace, "utf16.yaml"), Buffer.from("\ufeffa: 1\n", "utf16le"));
  await writeFile(join(workspace, "bad.yaml"), "a: 1\nb: [\n");
});
afterAll(() => rm(workspace, { recursive: true }));

const REQUIRED = { host: "my-release.milvus.io", location: "us-central1", cluster_name: "milvus" };

function settings(inputs: Record<string, string>, identity?: PodIdentity): Settings {
  const all: Record<string, string> = { ...REQUIRED, ...inputs };
  return readSettings((name) => all[name] ?? "", workspace, identity);
}

/** Returns the mistakes that the error lists, one a line. */
function mistakes(inputs: Record<string, string>): string[] {
  try {
    settings(inputs);
  } catch (error) {
    if (!(error instanceof ActionError)) throw error;
    return error.message.split("\n").slice(1);
  }
  return [];
}

test("every input has a default, except the required ones", () => {
  expect(settings({})).toEqual({
    mode: "deploy",
    host: "my-release.milvus.io",
    release: "my-release",
    namespace: "default",
    chart: "milvus",
    chartRepository: "https://zilliztech.github.io/milvus-helm",
    chartLogin: undefined,
    chartVersion: undefined,
    values: [],
    helmTimeout: 15 * 60_000,
    install: false,
    cluster: {
      kind: "gke",
      location: "us-central1",
      name: "milvus",
      endpoint: "auto",
      fleetMembership: undefined,
    },
    google: { projectId: undefined, location: "us-central1", credentials: {} },
    certificate: { kind: "self-managed", given: undefined },
    isCertificateGiven: false,
    isAllowHttpGiven: false,
    tlsSecret: "my-release-milvus-tls",
    ingressName: "my-release-milvus",
    backendConfigName: "my-release-backendconfig",
    frontendConfigName: "my-release-frontendconfig",
    backendConfig: {},
    frontendConfig: undefined,
    loadBalancer: "external",
    allowedRanges: [],
    staticIpName: undefined,
    createStaticIp: false,
    deleteStaticIp: false,
    dnsZone: undefined,
    dnsProjectId: undefined,
    manifests: [],
    adopt: false,
    keepLayer4: true,
    allowAnonymous: false,
    failOnChanges: false,
    summary: "changes",
    comment: "none",
    githubToken: "",
    restoreLayer4: false,
    allowHttp: false,
    backendTimeoutSeconds: 3600,
    waitFor: "ready",
    addressTimeout: 45 * 60_000,
    backendsTimeout: 15 * 60_000,
    certificateTimeout: 60 * 60_000,
    certificatePresentedTimeout: 45 * 60_000,
    verify: true,
    verifyAddress: undefined,
    milvusToken: undefined,
    rollbackOnFailure: true,
    recoverPending: undefined,
    gcloudVersion: "auto",
    gcloudSha256: undefined,
    gcloudMirror: "https://dl.google.com",
    kubectlVersion: "auto",
    helmVersion: "auto",
    kubectlMirror: "https://dl.k8s.io",
    helmMirror: "https://get.helm.sh",
  });
});

describe("inputs that readSettings accepts", () => {
  const long = "r".repeat(53);
  test.each<[string, Record<string, string>, Partial<Settings>]>([
    [
      "blanks around a value",
      { host: "  a.example.com\r\n", release: "\tx " },
      { host: "a.example.com", release: "x" },
    ],
    ["flags in any case", { allow_http: "TRUE", verify: "False" }, { allowHttp: true, verify: false }],
    [
      "every flag",
      {
        install: "true",
        keep_layer4: "false",
        allow_anonymous: "true",
        restore_layer4: "true",
        rollback_on_failure: "false",
      },
      {
        install: true,
        keepLayer4: false,
        allowAnonymous: true,
        restoreLayer4: true,
        rollbackOnFailure: false,
      },
    ],
    ["every mode", { mode: "teardown" }, { mode: "teardown" }],
    ["the certificate insisted on", { wait_for: "certificate" }, { waitFor: "certificate" }],
    [
      "manifests, one a line",
      { manifests: " a.yaml\r\n\nb/*.yaml\n" },
      { manifests: ["a.yaml", "b/*.yaml"] },
    ],
    [
      "the longest release name",
      { release: long },
      { release: long, backendConfigName: `${long}-backendconfig` },
    ],
    [
      "a release name with dots",
      { release: "a.b", ingress_name: "i" },
      { release: "a.b", ingressName: "i", backendConfigName: "a.b-backendconfig" },
    ],
    ["a host of one label", { host: "milvus" }, { host: "milvus" }],
    ["a host of 253 characters", { host: longHost(253) }, { host: longHost(253) }],
    [
      "a backend timeout beyond every timer",
      { request_timeout: "1000h" },
      { backendTimeoutSeconds: 3_600_000 },
    ],
    ["a backend timeout with a fraction", { request_timeout: "1.1m" }, { backendTimeoutSeconds: 66 }],
    ["the longest wait", { address_timeout: "576h" }, { addressTimeout: 576 * 3_600_000 }],
    ["no recovery", { recover_pending: "never" }, { recoverPending: undefined }],
    ["an age for recovery", { recover_pending: "20m" }, { recoverPending: 1_200_000 }],
    ["a mirror with a slash at its end", { helm_mirror: "http://m/helm//" }, { helmMirror: "http://m/helm" }],
    [
      "a repository with user and password",
      { chart_repository: "https://ci%40a:p%3Ass@charts.example/x/" },
      { chartRepository: "https://charts.example/x", chartLogin: { user: "ci@a", password: "p:ss" } },
    ],
    ["a chart path", { chart: "./milvus" }, { chart: "./milvus", chartRepository: undefined }],
    ["a chart in a folder", { chart: "charts/milvus" }, { chartRepository: undefined }],
    ["an OCI chart", { chart: "oci://r/milvus" }, { chart: "oci://r/milvus", chartRepository: undefined }],
    [
      "an OCI chart by its digest",
      { chart: "oci://r:5000/m@sha256:ab" },
      { chart: "oci://r:5000/m@sha256:ab" },
    ],
    ["a Windows path", { chart: "C:\\charts\\milvus" }, { chartRepository: undefined }],
    [
      "a repository is not looked at beside a path",
      { chart: ".", chart_repository: "x" },
      { chartRepository: undefined },
    ],
    [
      "versions of the tools",
      { kubectl_version: "v1.35.4", helm_version: ">=3.18 <4", gcloud_version: "none" },
      { kubectlVersion: "v1.35.4", helmVersion: ">=3.18 <4", gcloudVersion: "none" },
    ],
    [
      "gcloud's archive",
      { gcloud_version: "528.0.0", gcloud_sha256: "Ab".repeat(32) },
      { gcloudVersion: "528.0.0", gcloudSha256: "Ab".repeat(32) },
    ],
    ["a chart version", { chart_version: "v5.0.19-rc.1+build" }, { chartVersion: "v5.0.19-rc.1+build" }],
    ["an IPv6 address to dial", { verify_address: "[::1]:8443" }, { verifyAddress: "[::1]:8443" }],
  ])("%s", (_, inputs, expected) => {
    expect(settings(inputs)).toMatchObject(expected);
  });
});

describe("inputs that are refused, naming the input, the value and what is allowed", () => {
  const NAME = "a Kubernetes object name (lower-case letters, digits, '-' and '.', at most 253 characters)";
  const RELEASE = "a Helm release name (lower-case letters, digits, '-' and '.', at most 53 characters)";
  const NAMESPACE = "a namespace (lower-case letters, digits and '-', at most 63 characters)";
  const HOST =
    "is not a host name (lower-case letters, digits, '-' and '.', labels of at most 63 characters)";
  const PLAIN = "is not in lower case, in ASCII and without a dot at its end";
  const DURATION = "a duration above zero such as 90s, 45m or 1h30m";
  const CHART_VERSION = "an exact chart version such as 5.0.19";
  const VERSION = "an exact version such as 1.2.3, nor a semver range such as 1.2 or >=1.2 <2";
  const HOST_AND_PORT = "host:port, e.g. localhost:8443";
  const tooLong = "a".repeat(5000);

  test.each([
    ["host", "", "host is required: the name that clients use, e.g. my-release.milvus.io"],
    ["comment", "pull_request", "github_token is required: comment: pull_request writes the comment with it"],
    ["host", " \n", "host is required: the name that clients use, e.g. my-release.milvus.io"],
    [
      "host",
      "https://a.b",
      'host: "https://a.b" is a URL: give the host name alone, e.g. my-release.milvus.io',
    ],
    ["host", "a.b:443", 'host: "a.b:443" has a port: give the host name alone, clients always use port 443'],
    ["host", "*.a.b", 'host: "*.a.b" has a wildcard: give the one name that clients use'],
    [
      "host",
      "10.0.0.1",
      'host: "10.0.0.1" is an IP address: an Ingress rule and a certificate need a host name',
    ],
    [
      "host",
      "2001:db8::1",
      'host: "2001:db8::1" is an IP address: an Ingress rule and a certificate need a host name',
    ],
    ["host", "Milvus.IO", `host: "Milvus.IO" ${PLAIN}: write "milvus.io"`],
    ["host", "a.b.", `host: "a.b." ${PLAIN}: write "a.b"`],
    ["host", "Milvus.例え.", `host: "Milvus.例え." ${PLAIN}: write "milvus.xn--r8jz45g"`],
    ["host", "a.b/v2", 'host: "a.b/v2" has a path: give the host name alone, e.g. my-release.milvus.io'],
    ["host", "a_b.c", `host: "a_b.c" ${HOST}`],
    ["host", "a..b", `host: "a..b" ${HOST}`],
    ["host", "-a.b", `host: "-a.b" ${HOST}`],
    ["host", "a.b\nc.d", `host: "a.b\\nc.d" ${HOST}`],
    ["host", "--post-renderer=x", `host: "--post-renderer=x" ${HOST}`],
    ["host", longHost(254), `host: "${longHost(254).slice(0, 100)}…" ${HOST}`],
    ["release", "--post-renderer=/bin/sh", `release: "--post-renderer=/bin/sh" is not ${RELEASE}`],
    ["release", "My_Release", `release: "My_Release" is not ${RELEASE}`],
    ["release", "a\n--debug", `release: "a\\n--debug" is not ${RELEASE}`],
    ["release", "r".repeat(54), `release: "${"r".repeat(54)}" is not ${RELEASE}`],
    ["release", tooLong, `release: "${tooLong.slice(0, 100)}…" is not ${RELEASE}`],
    ["namespace", "--all-namespaces", `namespace: "--all-namespaces" is not ${NAMESPACE}`],
    ["namespace", "a.b", `namespace: "a.b" is not ${NAMESPACE}`],
    ["namespace", "a/../b", `namespace: "a/../b" is not ${NAMESPACE}`],
    ["chart", "--repo=x", 'chart: "--repo=x" is not a chart\'s name, a path or an oci:// reference'],
    ["chart_repository", "milvus", 'chart_repository: "milvus" is not an http(s) URL'],
    [
      "chart_repository",
      "https://token@charts.example",
      "chart_repository has a user or a password, but not both: Helm needs both",
    ],
    [
      "chart_repository",
      "https://ci:pa/ss@charts.example",
      "chart_repository is not an http(s) URL; it is not shown, as it may have a password",
    ],
    [
      "helm_mirror",
      "ci:pass@mirror.example",
      "helm_mirror is not an http(s) URL; it is not shown, as it may have a password",
    ],
    [
      "chart",
      "https://ci:pass@charts.example/milvus.tgz",
      "chart: has a user or a password in it: give the chart's name alone",
    ],
    ["chart", "oci://ci:pa/ss@r/m@sha256:ab", "chart: has a user or a password in it: give the chart's name"],
    ["chart_repository", "file:///etc", 'chart_repository: "file:///etc" is not an http(s) URL'],
    ["chart_version", "^5", `chart_version: "^5" is not ${CHART_VERSION}`],
    ["chart_version", "latest", `chart_version: "latest" is not ${CHART_VERSION}`],
    ["chart_version", "--devel", `chart_version: "--devel" is not ${CHART_VERSION}`],
    ["chart_version", "5.0.19 --devel", `chart_version: "5.0.19 --devel" is not ${CHART_VERSION}`],
    ["helm_timeout", "15", `helm_timeout: "15" is not ${DURATION}`],
    ["helm_timeout", "-5m", `helm_timeout: "-5m" is not ${DURATION}`],
    ["address_timeout", "0s", `address_timeout: "0s" is not ${DURATION}`],
    ["address_timeout", "1000h", 'address_timeout: "1000h" is not a duration of at most 24 days (576h)'],
    [
      "backends_timeout",
      "9999999h",
      'backends_timeout: "9999999h" is not a duration of at most 24 days (576h)',
    ],
    ["helm_timeout", "577h", 'helm_timeout: "577h" is not a duration of at most 24 days (576h)'],
    [
      "request_timeout",
      "1500ms",
      'request_timeout: "1500ms" is not a duration in whole seconds, at most 2147483647s',
    ],
    [
      "request_timeout",
      "9999999h",
      'request_timeout: "9999999h" is not a duration in whole seconds, at most 2147483647s',
    ],
    ["request_timeout", "soon", `request_timeout: "soon" is not ${DURATION}`],
    ["tls_secret", "My-TLS", `tls_secret: "My-TLS" is not ${NAME}`],
    [
      "tls_secret",
      "t".repeat(251),
      `tls_secret: "${"t".repeat(100)}…" is not a name of at most 250 characters`,
    ],
    ["ingress_name", "a/b", `ingress_name: "a/b" is not ${NAME}`],
    ["backend_config_name", "--all", `backend_config_name: "--all" is not ${NAME}`],
    ["backend_config_name", "b".repeat(254), `backend_config_name: "${"b".repeat(100)}…" is not ${NAME}`],
    ["mode", "destroy", 'mode: "destroy" is not one of deploy, plan, teardown'],
    ["mode", "Deploy", 'mode: "Deploy" is not one of deploy, plan, teardown'],
    ["wait_for", "dns", 'wait_for: "dns" is not one of ready, certificate, address, none'],
    ["endpoint", "fleet", 'endpoint: "fleet" is not one of auto, public, private, dns, connect_gateway'],
    ["fleet_membership", "m", "fleet_membership goes with endpoint: connect_gateway only"],
    ["kubectl_version", "newest", `kubectl_version: "newest" is not auto, latest, ${VERSION}`],
    ["helm_version", "3.x.y", `helm_version: "3.x.y" is not auto, latest, ${VERSION}`],
    ["helm_version", "none", `helm_version: "none" is not auto, latest, ${VERSION}`],
    ["gcloud_version", "newest", `gcloud_version: "newest" is not auto, latest, none, ${VERSION}`],
    [
      "gcloud_sha256",
      "a".repeat(64),
      'gcloud_sha256 is the checksum of one archive: it needs an exact gcloud_version, not "auto"',
    ],
    ["service_account", "s@p.iam", "service_account goes with workload_identity_provider only"],
    [
      "workload_identity_provider",
      "my-provider",
      'workload_identity_provider: "my-provider" is not projects/<project number>/locations/global/',
    ],
    ["install", "yes", 'install: "yes" is not true or false'],
    ["rollback_on_failure", "no", 'rollback_on_failure: "no" is not true or false'],
    ["keep_layer4", "1", 'keep_layer4: "1" is not true or false'],
    ["restore_layer4", "on", 'restore_layer4: "on" is not true or false'],
    [
      "certificate_timeout",
      "577h",
      'certificate_timeout: "577h" is not a duration of at most 24 days (576h)',
    ],
    ["allow_http", "yes", 'allow_http: "yes" is not true or false'],
    ["verify", "0", 'verify: "0" is not true or false'],
    ["recover_pending", "soon", 'recover_pending: "soon" is not never or a duration such as 20m or 1h30m'],
    ["recover_pending", "0s", 'recover_pending: "0s" is not a duration above zero'],
    ["recover_pending", "600h", 'recover_pending: "600h" is not a duration of at most 24 days'],
    ["verify_address", "localhost", `verify_address: "localhost" is not ${HOST_AND_PORT}`],
    ["verify_address", "https://a:1", `verify_address: "https://a:1" is not ${HOST_AND_PORT}`],
    ["verify_address", "localhost:0", `verify_address: "localhost:0" is not ${HOST_AND_PORT}`],
    ["verify_address", "localhost:99999", `verify_address: "localhost:99999" is not ${HOST_AND_PORT}`],
    ["verify_address", "::1:443", `verify_address: "::1:443" is not ${HOST_AND_PORT}`],
    ["kubectl_mirror", "dl.k8s.io", 'kubectl_mirror: "dl.k8s.io" is not an http(s) URL'],
    ["helm_mirror", "javascript:1", 'helm_mirror: "javascript:1" is not an http(s) URL'],
    ["cluster_name", "", "cluster_name is required: the GKE cluster's name (or set kubeconfig)"],
    [
      "cluster_name",
      "a/b",
      'cluster_name: "a/b" is not a cluster\'s name nor projects/P/locations/L/clusters/C',
    ],
    [
      "cluster_name",
      "gke_p-1_us-central1_c-1",
      'cluster_name: "gke_p-1_us-central1_c-1" is the name of a kubectl context: write projects/p-1/locations/us-central1/clusters/c-1',
    ],
    ["location", "", "location is required: the cluster's region or zone, e.g. us-central1"],
    [
      "values",
      "a: b: c",
      "values is not valid YAML at line 1, column 5: bad indentation of a mapping entry.",
    ],
    ["values", "service.type=x", "values must be a YAML map, but holds a string."],
    ["values_files", "bad.yaml", "values_files: bad.yaml is not valid YAML at line 3, column 1: "],
    ["values_files", "no.yaml", "values_files: no.yaml can't be read: ENOENT"],
    ["values_files", "/dev/zero", "values_files: /dev/zero can't be read: it is a device, not a file"],
    ["values_files", "latin1.yaml", "values_files: latin1.yaml can't be read: it is not UTF-8"],
    ["values_files", "utf16.yaml", "values_files: utf16.yaml can't be read: it is not UTF-8"],
    ["values_files", ".", "values_files: . can't be read: it is a folder, not a file"],
  ])("%s %j", (name, value, message) => {
    const found = mistakes({ [name]: value });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`- ${message}`);
  });

  test("a gcloud_sha256 that is no checksum", () => {
    expect(mistakes({ gcloud_version: "528.0.0", gcloud_sha256: "abc" })).toEqual([
      '- gcloud_sha256: "abc" is not the 64 hexadecimal digits that sha256sum prints for the archive',
    ]);
  });

  test("one error names all mistakes, each once, and says that nothing was changed", () => {
    const inputs = {
      host: "",
      release: "A",
      mode: "x",
      values: "- a",
      values_files: "no.yaml\nbad.yaml",
      location: "",
    };
    expect(mistakes(inputs).map((line) => line.split(/[ :]/)[1])).toEqual([
      "host",
      "release",
      "mode",
      "values_files",
      "values_files",
      "values",
      "location",
    ]);
    expect(() => settings(inputs)).toThrow("7 inputs are not usable; nothing was changed.\n- host");
    expect(() => settings({ host: "" })).toThrow("An input is not usable; nothing was changed.\n- host");
  });
});

describe("values", () => {
  test("values files come first, in their order, with their text as written", () => {
    const { values } = settings({
      values: "a: 1 # why\r\n",
      values_files: "b.yaml\r\n\r\n  a.yaml\r\nempty.yaml\n",
    });
    expect(values).toEqual([
      { origin: "values_files: b.yaml", text: "image:\n  tag: v2\n", values: { image: { tag: "v2" } } },
      {
        origin: "values_files: a.yaml",
        text: "minio:\n  enabled: false\n",
        values: { minio: { enabled: false } },
      },
      { origin: "values_files: empty.yaml", text: "# nothing yet\n", values: {} },
      { origin: "values", text: "a: 1 # why\r\n", values: { a: 1 } },
    ]);
  });

  test("a teardown reads no values, because it restores the former ones", () => {
    expect(settings({ mode: "teardown", values: "a: [", values_files: "no.yaml\na.yaml" }).values).toEqual(
      [],
    );
  });

  test("a values file may have an absolute path", () => {
    expect(settings({ values_files: join(workspace, "a.yaml") }).values).toHaveLength(1);
  });
});

describe("cluster", () => {
  const path = "projects/p-1/locations/europe-west1/clusters/c";
  const PROVIDER = "projects/1/locations/global/workloadIdentityPools/github/providers/my-repository";

  test("two identities are refused", () => {
    expect(mistakes({ credentials_json: "{}", workload_identity_provider: PROVIDER })).toEqual([
      "- credentials_json and workload_identity_provider are two identities: set one of them",
    ]);
  });

  test.each<[string, Record<string, string>, object]>([
    [
      "by its path",
      { cluster_name: path },
      {
        cluster: { kind: "gke", location: "europe-west1", name: "c" },
        google: { projectId: "p-1", location: "europe-west1" },
      },
    ],
    [
      "the path wins",
      { cluster_name: path, project_id: "other" },
      { cluster: { location: "europe-west1" }, google: { projectId: "p-1", location: "europe-west1" } },
    ],
    [
      "an old zonal path",
      { cluster_name: "projects/p/zones/z/clusters/c" },
      { cluster: { location: "z", name: "c" }, google: { projectId: "p", location: "z" } },
    ],
    [
      "project and endpoint",
      { project_id: "p", endpoint: "dns" },
      { cluster: { endpoint: "dns" }, google: { projectId: "p" } },
    ],
    [
      "a fleet's gateway",
      { endpoint: "connect_gateway", fleet_membership: "m" },
      { cluster: { endpoint: "connect_gateway", fleetMembership: "m" } },
    ],
    [
      "a path needs no location",
      { cluster_name: path, location: "" },
      { cluster: { location: "europe-west1" } },
    ],
    [
      "a kubeconfig needs nothing of Google's",
      { kubeconfig: "/k", cluster_name: "", location: "" },
      {
        cluster: { kind: "kubeconfig", kubeconfig: "/k", context: undefined },
        google: { projectId: undefined, location: undefined },
      },
    ],
    [
      "a context alone",
      { context: "c" },
      { cluster: { kind: "kubeconfig", kubeconfig: undefined, context: "c" } },
    ],
    [
      "a kubeconfig wins over Google, which addresses and DNS may still need",
      { kubeconfig: "/k", credentials_json: "{}", project_id: "p" },
      {
        cluster: { kind: "kubeconfig" },
        google: { projectId: "p", credentials: { credentialsJson: "{}" } },
      },
    ],
    [
      "a credential file",
      { credentials_json: " {} " },
      { google: { credentials: { credentialsJson: "{}" } } },
    ],
    [
      "a provider and a service account",
      { workload_identity_provider: PROVIDER, service_account: "s" },
      { google: { credentials: { workloadIdentityProvider: PROVIDER, serviceAccount: "s" } } },
    ],
  ])("%s", (_, inputs, expected) => {
    expect(settings(inputs)).toMatchObject(expected);
  });
});

/** A valid host name of `length` characters, if only it isn't too long. */
function longHost(length: number): string {
  return `${`${"abcdefghi.".repeat(30)}`.slice(0, length - 1)}z`;
}

describe("a runner in a pod with a ServiceAccount", () => {
  const identity = { server: "https://10.0.0.1:443", tokenFile: "/token", authorityFile: "/ca.crt" };
  const nothing = { cluster_name: "", location: "" };

  test.each<[string, Record<string, string>, Settings["cluster"]["kind"]]>([
    ["is in the cluster if no input names one", nothing, "in-cluster"],
    ["uses the region for addresses", { ...nothing, location: "us-central1" }, "in-cluster"],
    ["follows cluster_name", {}, "gke"],
    ["follows kubeconfig", { ...nothing, kubeconfig: "/k" }, "kubeconfig"],
    ["follows context", { ...nothing, context: "c" }, "kubeconfig"],
  ])("%s", (_, inputs, kind) => {
    expect(settings(inputs, identity).cluster.kind).toBe(kind);
  });
});
