import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { CHART, HELM, useCluster } from "./support/cluster.ts";
import type { Inputs } from "./support/job.ts";
import { untilRevision } from "./support/pods.ts";

const cluster = useCluster();
beforeAll(() => cluster.installSmall("page"));

/** The text of a kubeconfig of the local GKE with this in place of its cluster's and its user's members. */
async function kubeconfigWith(over: { cluster?: object; user?: object }): Promise<string> {
  const config = parse(await readFile(cluster.gke.kubeconfig, "utf8"));
  Object.assign(config.clusters[0].cluster, over.cluster);
  Object.assign(config.users[0].user, over.user);
  return stringify(config);
}

describe.concurrent("an input that can't be right", () => {
  test.each<{ what: string; inputs: Inputs; says: string[] }>([
    { what: "no host", inputs: { host: "" }, says: ["host is required", "my-release.milvus.io"] },
    {
      what: "a host with a scheme",
      inputs: { host: "https://a.example" },
      says: ["https://a.example", "host"],
    },
    {
      what: "several at once",
      inputs: { host: "A.example", helm_timeout: "soon", wait_for: "luck", namespace: "No_Such" },
      says: ['write "a.example"', 'helm_timeout: "soon"', 'wait_for: "luck"', 'namespace: "No_Such"'],
    },
    {
      what: "values that don't parse",
      inputs: { values: "a: 1\nb: [" },
      says: ["values is not valid YAML at line"],
    },
    { what: "values that are no map", inputs: { values: "- a" }, says: ["values must be a YAML map"] },
    {
      what: "a file of values that isn't there",
      inputs: { values_files: "no/such.yaml" },
      says: ["values_files: no/such.yaml", "ENOENT"],
    },
    {
      what: "a service.type that keeps the layer-4 load balancer",
      inputs: { values: "service: { type: NodePort }" },
      says: ["service.type: NodePort", "What to do: remove service.type"],
    },
    {
      what: "another release",
      inputs: { release: "your-release" },
      says: ["no Helm release your-release in namespace page", "What to do:"],
    },
    {
      what: "a chart that isn't there",
      inputs: { chart: "milvus/milvus" },
      says: [
        "The chart at milvus/milvus can't be read",
        "What to do: check the input chart",
        "(chart: milvus, not milvus/milvus)",
      ],
    },
    {
      what: "a local chart of another version than asked for",
      inputs: { chart_version: "9.9.9" },
      says: [`The chart at ${CHART} has version 5.0.19, not 9.9.9`, "What to do:"],
    },
    {
      what: "another cluster",
      inputs: { cluster_name: "your-cluster" },
      says: ["your-cluster", "us-central1", "What to do:"],
    },
  ])("$what", async ({ inputs, says }) => {
    const { error } = await cluster.refusal("page", inputs);
    for (const text of says) expect(error).toContain(text);
  });

  test("a namespace that isn't there, and where Milvus is", async () => {
    const { error } = await cluster.refusal("no-such-namespace");
    expect(error).toContain("There is no namespace no-such-namespace in the cluster; nothing was changed.");
    expect(error).toMatch(/\nWhy: Milvus is there in release [^/\s]+\/[^/\s]+/);
  });

  test("a release of another namespace, and where Milvus is", async () => {
    const { error } = await cluster.refusal("kube-public");
    expect(error).toContain(
      "There is no Helm release my-release in namespace kube-public; nothing was changed.",
    );
    expect(error).toMatch(/\nWhy: Milvus is there in release [^/\s]+\/[^/\s]+/);
  });
});

describe.concurrent("a cluster that can't be used", () => {
  test("it is out of reach", async () => {
    const kubeconfig = await kubeconfigWith({ cluster: { server: "https://127.0.0.1:1" } });
    const { error } = await cluster.refusal("page", { kubeconfig }, { google: false });
    expect(error).toMatch(/127\.0\.0\.1:1.*refused/);
    expect(error).toContain("What to do: the cluster's API server can't be reached from this runner");
  });

  test("it refuses the token", async () => {
    const { error } = await cluster.refusal(
      "page",
      { kubeconfig: await kubeconfigWith({ user: { token: "stale" } }) },
      { google: false },
    );
    expect(error).toContain("What to do: the cluster refuses the credentials");
    expect(error).not.toContain("stale");
  });

  test("the account may not read the namespace", async () => {
    const { error } = await cluster.refusal(
      "page",
      { kubeconfig: await kubeconfigWith({ user: { as: "nobody" } }) },
      { google: false },
    );
    expect(error).toContain("The account lacks rights that this run needs; nothing was changed.");
    expect(error).toMatch(
      /in namespace page it may not: .*patch services; .*patch backendconfigs\.cloud\.google\.com/,
    );
    expect(error).toContain("What to do: grant it roles/container.developer");
  });

  test("there are no credentials", async () => {
    const { error } = await cluster.refusal("page", {}, { google: false });
    expect(error).toContain("What to do:");
  });
});

describe.concurrent("a release that can't be put behind the load balancer as it is", () => {
  test.each<{ what: string; namespace: string; values: object; says: string[] }>([
    {
      what: "customConfigMap",
      namespace: "custom-config-map",
      values: { customConfigMap: "mine" },
      says: ["customConfigMap: mine", "ignores extraConfigFiles", "What to do: move the settings"],
    },
    {
      what: "an Ingress of the chart's",
      namespace: "chart-ingress",
      values: { ingress: { enabled: true } },
      says: ["ingress.enabled: true", "What to do: set ingress.enabled to false"],
    },
    {
      what: "mutual TLS",
      namespace: "mutual-tls",
      values: { extraConfigFiles: { "user.yaml": "common:\n  security:\n    tlsMode: 2\n" } },
      says: ["tlsMode: 2", "What to do: set common.security.tlsMode to 1"],
    },
    {
      what: "a user.yaml that doesn't parse",
      namespace: "broken-user-yaml",
      values: { extraConfigFiles: { "user.yaml": "common:\n  security: [\n" } },
      says: ['"user.yaml" is not valid YAML at line 3', "What to do:"],
    },
  ])("$what", async ({ namespace, values, says }) => {
    await cluster.installSmall(namespace, values);
    const { error } = await cluster.refusal(namespace);
    for (const text of says) expect(error).toContain(text);
  });

  test.each(["configmap", "sql"])("Helm keeps it elsewhere: HELM_DRIVER=%s", async (driver) => {
    const { error } = await cluster.refusal("page", {}, { environment: { HELM_DRIVER: driver } });
    expect(error).toContain(`HELM_DRIVER is ${driver}; nothing was changed.`);
    expect(error).toContain("What to do: remove HELM_DRIVER");
  });

  test("a Service without a gRPC port", async () => {
    await cluster.installSmall("no-grpc-port");
    const ports = JSON.stringify({ spec: { ports: [{ name: "rest", port: 8080, targetPort: 8080 }] } });
    const patch = ["--type=merge", "--patch", ports, "-n", "no-grpc-port"];
    await cluster.kubectl("patch", "service", "my-release-milvus", ...patch);
    const { error } = await cluster.refusal("no-grpc-port");
    expect(error).toContain("Service no-grpc-port/my-release-milvus has no gRPC port; nothing was changed.");
    expect(error).toContain("rest 8080");
  });

  test("an upgrade that was killed", async () => {
    await cluster.installSmall("killed-upgrade");
    const where = ["-n", "killed-upgrade", "--kubeconfig", cluster.gke.kubeconfig];
    const slow = ["--set", "annotations.local-gke/ready-after=1h", "--reuse-values", "--wait"];
    const helm = spawn(cluster.tools[HELM], ["upgrade", "my-release", CHART, ...where, ...slow], {
      stdio: "ignore",
    });
    await untilRevision(cluster, "killed-upgrade", 2);
    helm.kill("SIGKILL");
    await once(helm, "close");
    const { error } = await cluster.refusal("killed-upgrade");
    expect(error).toContain(
      "Revision 2 of release my-release in namespace killed-upgrade is pending-upgrade",
    );
    expect(error).toContain("`helm rollback my-release -n killed-upgrade`");
  });
});

describe.concurrent("an object that is in the way", () => {
  const ingress = (namespace: string, finalizers: string[]) =>
    JSON.stringify({
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: {
        name: "my-release-milvus",
        namespace,
        finalizers,
        annotations: { "kubernetes.io/ingress.class": "nginx" },
      },
      spec: { rules: [{ host: "other.example" }] },
    });
  const apply = ["apply", "--server-side", "--field-manager=argocd", "-f", "-"];

  test("an Ingress that something else manages", async () => {
    await cluster.installSmall("foreign-ingress");
    await cluster.kubectlWith(ingress("foreign-ingress", []), ...apply);
    const { error } = await cluster.refusal("foreign-ingress");
    expect(error).toContain(
      "Ingress foreign-ingress/my-release-milvus belongs to somebody else; nothing was changed.",
    );
    expect(error).toContain("its fields are managed by argocd");
    expect(error).toContain("adopt: true");
    expect(error).toContain("ingress_name");
  });

  test("an Ingress that is being deleted", async () => {
    await cluster.installSmall("leaving-ingress");
    await cluster.kubectlWith(ingress("leaving-ingress", ["example.com/hold"]), ...apply);
    await cluster.kubectl("delete", "ingress", "my-release-milvus", "-n", "leaving-ingress", "--wait=false");
    const { error } = await cluster.refusal("leaving-ingress");
    expect(error).toContain(
      "Ingress leaving-ingress/my-release-milvus is being deleted; nothing was changed.",
    );
    expect(error).toContain("example.com/hold");
  });
});

// What follows changes the whole cluster.
describe("Google's side refuses", () => {
  test("clusters.get", async () => {
    await cluster.setFault("refuse-clusters-get", true);
    try {
      const { error } = await cluster.refusal("page");
      expect(error).toContain("container.clusters.get");
      expect(error).toContain("What to do:");
    } finally {
      await cluster.setFault("refuse-clusters-get", false);
    }
  });

  test("BackendConfigs: the HTTP load balancing add-on is off", async () => {
    await cluster.kubectl("delete", "customresourcedefinition", "backendconfigs.cloud.google.com");
    const before = await cluster.kubectl("get", "ingresses,services,secrets", "-n", "page", "-o", "json");
    const { error } = await cluster.failure("page");
    expect(error).toContain(
      "What to do: the cluster has no BackendConfig: turn its HTTP load balancing add-on on",
    );
    expect(await cluster.kubectl("get", "ingresses,services,secrets", "-n", "page", "-o", "json")).toBe(
      before,
    );
  });
});
