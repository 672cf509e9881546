import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { callApi } from "../../local-gke/control-plane/api.ts";
import { apiServerOf } from "../../local-gke/control-plane/client.ts";
import { DEPLOYER } from "../../local-gke/control-plane/tokens.ts";
import { CREDENTIAL_KINDS, credentialFilesIn } from "../../local-gke/google/identities.ts";
import { DEFAULT_TIMING } from "../../local-gke/ingress/timing.ts";
import { type Output, type Program, run } from "../../src/base/process.ts";
import { type Connection, connectToCluster } from "../../src/gke/connect.ts";
import { privateDirectory } from "../../src/gke/kubeconfig.ts";
import { unreachableCluster } from "../../src/gke/unreachable-cluster.ts";
import { ApiServer } from "../../src/kubernetes/api.ts";
import { refuseMissingRights } from "../../src/kubernetes/permissions.ts";
import { LOAD_BALANCER, RELEASE, rightsIn } from "../../src/kubernetes/rights.ts";
import { captureLog } from "../support/job-log.ts";
import { CHART, type HelmName, useCluster } from "./support/cluster.ts";
import { expectSuccess } from "./support/results.ts";

const cluster = useCluster();

captureLog();

const connections: Connection[] = [];
afterAll(() => {
  for (const { stop } of connections) stop();
});

/** Connects as a job does whose environment has nothing but this beside the ways to the stand-ins. */
async function connect(
  environment: Record<string, string | undefined>,
  endpoint: "auto" | "connect_gateway" = "auto",
): Promise<Connection> {
  const overrides = Object.entries(cluster.gke.env).filter(([name]) => name.startsWith("GHA_ENDPOINT_"));
  const connection = await connectToCluster(
    { projectId: "my-project", location: "us-central1", name: "my-cluster", endpoint },
    {},
    await privateDirectory({ RUNNER_TEMP: cluster.gke.directory }),
    { HOME: "/nonexistent", ...Object.fromEntries(overrides), ...environment },
    (message) => expect.unreachable(message),
  );
  connections.push(connection);
  return connection;
}

function program(name: HelmName | "kubectl", { kubeconfig, cluster: { endpoint } }: Connection): Program {
  // Google's own gateway has a certificate that every machine trusts.
  const trust = { SSL_CERT_FILE: join(cluster.gke.directory, "connect-gateway-ca.crt") };
  return {
    name,
    path: cluster.tools[name],
    env: { KUBECONFIG: kubeconfig.path, ...(endpoint === "connect_gateway" && trust) },
  };
}

async function open(kubectl: Program): Promise<ApiServer> {
  const api = await ApiServer.open(kubectl, await privateDirectory({ RUNNER_TEMP: cluster.gke.directory }));
  onTestFinished(() => api.close());
  return api;
}

function succeeded({ exitCode, stdout, stderr }: Output): string {
  expect(exitCode, stderr).toBe(0);
  return stdout;
}

const needed = (namespace: string) => rightsIn(namespace, RELEASE, LOAD_BALANCER);

const federated = () => ({ GOOGLE_APPLICATION_CREDENTIALS: cluster.gke.env.GOOGLE_APPLICATION_CREDENTIALS });

describe("from credentials to an answer of the API server", () => {
  const whoami = async (connection: Connection) =>
    JSON.parse(succeeded(await run(program("kubectl", connection), ["auth", "whoami", "-o", "json"])));

  test.each(CREDENTIAL_KINDS)("%s", async (kind) => {
    const file = credentialFilesIn(cluster.gke.directory)[kind];
    const { status } = await whoami(await connect({ GOOGLE_APPLICATION_CREDENTIALS: file }));
    expect(status.userInfo.username).toBe(DEPLOYER);
  });

  test("the metadata server", async () => {
    const { host } = new URL(cluster.gke.env.GHA_ENDPOINT_OVERRIDE_oauth2 ?? "");
    vi.stubEnv("GCE_METADATA_HOST", host);
    try {
      const { status } = await whoami(await connect({ GCE_METADATA_HOST: host }));
      expect(status.userInfo.username).toBe(DEPLOYER);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe("through Connect gateway", () => {
  let connection: Connection;
  beforeAll(async () => {
    await cluster.kubectl("create", "namespace", "gateway");
    connection = await connect(federated(), "connect_gateway");
  });

  test("the API server is read, written and watched", async () => {
    const api = await open(program("kubectl", connection));
    expect(await api.hasNamespace("gateway")).toBe(true);
    const seen = Promise.withResolvers<string>();
    const watching = new AbortController();
    const { resourceVersion } = await api.list("Secret", "gateway", "fieldSelector=metadata.name=applied");
    const query = {
      selector: "fieldSelector=metadata.name=applied",
      resourceVersion,
      timeoutSeconds: 60,
    } as const;
    const watch = api.watch("Secret", "gateway", query, seen.resolve, watching.signal);
    const metadata = { name: "applied", namespace: "gateway" };
    await api.apply({ apiVersion: "v1", kind: "Secret", metadata }, { dryRun: false });
    expect(JSON.parse(await seen.promise)).toMatchObject({ object: { metadata } });
    watching.abort();
    await watch;
  });

  test.each<HelmName>(["helm3", "helm4"])("%s installs", async (name) => {
    const values = [`fullnameOverride=${name}`, "cluster.enabled=false", "etcd.enabled=false"];
    const small = [...values, "minio.enabled=false", "pulsarv3.enabled=false"].join(",");
    const args = ["install", name, CHART, "-n", "gateway", "--set", small];
    succeeded(await run(program(name, connection), args));
  });
});

describe("the rights that a deployment needs", () => {
  const as = (user: string): Promise<ApiServer> =>
    open({
      name: "kubectl",
      path: cluster.tools.kubectl,
      env: { KUBECONFIG: cluster.gke.kubeconfig },
      leadingArgs: [`--as=${user}`],
    });
  const allowed = async (namespace: string, user: string, ...rules: object[]) => {
    const role = "rbac.authorization.k8s.io/v1";
    const items = [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
      { apiVersion: role, kind: "Role", metadata: { name: "role", namespace }, rules },
      {
        apiVersion: role,
        kind: "RoleBinding",
        metadata: { name: "role", namespace },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "role" },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
      },
    ];
    await cluster.apply({ apiVersion: "v1", kind: "List", items });
    // The API server learns of new roles a little later.
    await vi.waitFor(
      () => cluster.kubectl("auth", "can-i", "list", "pods", "-n", namespace, "--as", user),
      100_000,
    );
  };
  const everything = { apiGroups: ["*"], resources: ["*"], verbs: ["*"] };

  test("with all of them nothing is said", async () => {
    await allowed("free", "free", everything);
    await refuseMissingRights(await as("free"), needed("free"));
  });

  test("those that are missing are named", async () => {
    await allowed(
      "limited",
      "limited",
      {
        apiGroups: ["", "apps"],
        resources: ["pods", "events", "services", "configmaps", "deployments", "statefulsets", "replicasets"],
        verbs: ["*"],
      },
      { apiGroups: [""], resources: ["secrets"], verbs: ["get", "list", "watch"] },
      { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: ["*"] },
    );
    await expect(refuseMissingRights(await as("limited"), needed("limited"))).rejects.toThrow(
      "The account lacks rights that this run needs; nothing was changed.\n" +
        "Why: in namespace limited it may not: create, update, patch, delete secrets; get, create, patch backendconfigs.cloud.google.com.\n" +
        "What to do: grant it roles/container.developer in the cluster's project, or a Role with these rights (docs/permissions.md).",
    );
  });

  test("rights in another namespace don't count", async () => {
    await allowed("mine", "mine", everything);
    await expect(refuseMissingRights(await as("mine"), needed("default"))).rejects.toThrow(
      /it may not: get, list/,
    );
  });
});

test("a cluster that doesn't answer is explained by what it offers", async () => {
  await cluster.withFault("unreachable-cluster", async () => {
    const connection = await connect(federated());
    const api = await open(program("kubectl", connection));
    const failed = refuseMissingRights(api, needed("default"));
    const error = await failed.then(
      () => expect.unreachable("the cluster answered"),
      (reason: unknown) => unreachableCluster(connection.cluster, String(reason)),
    );
    expect(error?.message).toMatch(
      /cluster my-cluster .* does not answer at its public endpoint \(https:\/\/127\.0\.0\.1:9\).*connection refused.*authorized networks only.*endpoint to connect_gateway/s,
    );
  });
});

describe("tokens that end while the job runs", () => {
  // Helm reads the file again after 50 s at the earliest, and the API server trusts a token for 10 s more.
  const LIFETIME_SECONDS = 58;
  const LABEL = "outlived-a-token";

  async function setLifetime(seconds: number): Promise<void> {
    const url = `${cluster.gke.control}/token-lifetime`;
    expect((await fetch(url, { method: "PUT", body: JSON.stringify(seconds) })).status).toBe(200);
  }

  async function refused(token: string): Promise<void> {
    const api = { ...apiServerOf(cluster.gke.kubeconfig), token };
    await expect.poll(async () => (await callApi(api, "GET", "/api")).status, { interval: 500 }).toBe(401);
  }

  /** A chart whose only pod can't be scheduled before a node has the label. */
  async function waitingChart(): Promise<string> {
    const directory = join(cluster.gke.directory, "waiting");
    await mkdir(join(directory, "templates"), { recursive: true });
    await writeFile(join(directory, "Chart.yaml"), "apiVersion: v2\nname: waiting\nversion: 1.0.0\n");
    const labels = { app: "{{ .Release.Name }}" };
    const deployment = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "{{ .Release.Name }}" },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { nodeSelector: { [LABEL]: "true" }, containers: [{ name: "c", image: "c" }] },
        },
      },
    };
    await writeFile(join(directory, "templates/deployment.yaml"), JSON.stringify(deployment));
    return directory;
  }

  test("helm --wait, a watch and the whole action outlive them", async () => {
    await Promise.all([cluster.installSmall("outlive"), cluster.kubectl("create", "namespace", "waiting")]);
    await cluster.setTime("addressDelayMs", 3_600_000);
    await setLifetime(LIFETIME_SECONDS);
    const connection = await connect(federated());
    const tokenFile = join(dirname(connection.kubeconfig.path), "token");
    const first = await readFile(tokenFile, "utf8");

    const chart = await waitingChart();
    const install = (name: HelmName, wait: string) =>
      run(program(name, connection), ["install", name, chart, "-n", "waiting", wait, "--timeout=3m"]);
    const installs = [install("helm3", "--wait"), install("helm4", "--wait=legacy")];
    const seen = Promise.withResolvers<string>();
    const watching = new AbortController();
    const path = "/api/v1/namespaces/waiting/configmaps?watch=1&fieldSelector=metadata.name=late";
    const watch = run(program("kubectl", connection), ["get", "--raw", path], {
      onLine: seen.resolve,
      signal: watching.signal,
    });
    const step = await cluster.start("outlive");
    const actionsFirst = /^::add-mask::(ya29\..*)$/.exec(await step.line(/^::add-mask::ya29\./))?.[1] ?? "";

    await Promise.all([refused(first), step.line(/^::group::Wait for the address/)]);
    await refused(actionsFirst);
    await cluster.kubectl("label", "nodes", "--all", `${LABEL}=true`);
    await cluster.kubectl("create", "configmap", "late", "-n", "waiting");
    await cluster.setTime("addressDelayMs", DEFAULT_TIMING.addressDelayMs);

    expect(JSON.parse(await seen.promise)).toMatchObject({ object: { metadata: { name: "late" } } });
    watching.abort();
    await watch;
    for (const output of await Promise.all(installs)) succeeded(output);
    expect(await readFile(tokenFile, "utf8")).not.toBe(first);
    const { outputs } = expectSuccess(await step.ended);
    expect(outputs.milvus_version).toMatch(/\d/);
  });
});
