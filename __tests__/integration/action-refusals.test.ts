import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { kubeConfigFrom } from "../../local-gke/control-plane/client.ts";
import { createCrds } from "../../local-gke/ingress/crds.ts";
import { CHART, HELM, useCluster } from "./support/cluster.ts";
import type { Inputs } from "./support/job.ts";
import { INGRESS, SERVICE } from "./support/names.ts";
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
    {
      what: "several at once",
      inputs: { host: "A.example", helm_timeout: "soon", wait_for: "luck", namespace: "No_Such" },
      says: ['write "a.example"', 'helm_timeout: "soon"', 'wait_for: "luck"', 'namespace: "No_Such"'],
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
  // What else it can't be: __tests__/milvus/{value-checks,user-yaml}.test.ts.
  test("customConfigMap, and then a Service without a gRPC port", async () => {
    await cluster.installSmall("unfit", { customConfigMap: "mine" });
    const custom = await cluster.refusal("unfit");
    expect(custom.error).toContain("customConfigMap: mine");
    expect(custom.error).toContain("ignores extraConfigFiles");
    expect(custom.error).toContain("What to do: move the settings");

    const ports = JSON.stringify({ spec: { ports: [{ name: "rest", port: 8080, targetPort: 8080 }] } });
    await cluster.kubectl("patch", "service", SERVICE, "--type=merge", "--patch", ports, "-n", "unfit");
    const { error } = await cluster.refusal("unfit", { values: 'customConfigMap: ""' });
    expect(error).toContain(`Service unfit/${SERVICE} has no gRPC port; nothing was changed.`);
    expect(error).toContain("rest 8080");
  });

  test("Helm keeps it elsewhere", async () => {
    const { error } = await cluster.refusal("page", {}, { environment: { HELM_DRIVER: "sql" } });
    expect(error).toContain("HELM_DRIVER is sql; nothing was changed.");
    expect(error).toContain("What to do: remove HELM_DRIVER");
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

test.concurrent("an Ingress that is being deleted is refused", async () => {
  const namespace = "leaving-ingress";
  await cluster.installSmall(namespace);
  const annotations = { "kubernetes.io/ingress.class": "nginx" };
  await cluster.apply({
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: INGRESS, namespace, finalizers: ["example.com/hold"], annotations },
    spec: { rules: [{ host: "other.example" }] },
  });
  await cluster.kubectl("delete", "ingress", INGRESS, "-n", namespace, "--wait=false");
  const { error } = await cluster.refusal(namespace);
  expect(error).toContain(`Ingress ${namespace}/${INGRESS} is being deleted; nothing was changed.`);
  expect(error).toContain("example.com/hold");
  const release = JSON.stringify({ metadata: { finalizers: null } });
  await cluster.kubectl("patch", "ingress", INGRESS, "-n", namespace, "--type=merge", "--patch", release);
});

// What follows changes the whole cluster.
describe("Google's side refuses", () => {
  test("clusters.get", async () => {
    const { error } = await cluster.withFault("refuse-clusters-get", () => cluster.refusal("page"));
    expect(error).toContain("container.clusters.get");
    expect(error).toContain("What to do:");
  });

  test("BackendConfigs: the HTTP load balancing add-on is off", async () => {
    const written = () => cluster.kubectl("get", "ingresses,services,secrets", "-n", "page", "-o", "json");
    const before = await written();
    await cluster.kubectl("delete", "customresourcedefinition", "backendconfigs.cloud.google.com");
    try {
      const { error } = await cluster.failure("page");
      expect(error).toContain(
        "What to do: the cluster has no BackendConfig: turn its HTTP load balancing add-on on",
      );
      expect(await written()).toBe(before);
    } finally {
      // The next test file gets the cluster.
      await createCrds(kubeConfigFrom(cluster.gke.kubeconfig), new AbortController().signal);
    }
  });
});
