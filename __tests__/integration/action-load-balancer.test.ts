import { connect, createServer, type Socket } from "node:net";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { accountWith } from "./support/account.ts";
import { type Files, useCluster } from "./support/cluster.ts";
import { BACKEND_CONFIG, FRONTEND_CONFIG, INGRESS } from "./support/names.ts";
import { changesIn } from "./support/results.ts";

/** Far more than Google's controllers take here. */
const LIMIT = { timeout: 100_000, interval: 50 };
/** Has a release that no run changes. */
const PAGE = "load-balancer-page";
const FRONTEND_CONFIG_ANNOTATION = "networking.gke.io/v1beta1.FrontendConfig";

const cluster = useCluster(() => ({ wait_for: "address" }));
beforeAll(async () => {
  await Promise.all([
    cluster.control("PUT", "security-policies/my-policy"),
    cluster.control("PUT", "ssl-policies/my-ssl-policy"),
    cluster.control("PUT", "ssl-policies/another"),
    cluster.installSmall(PAGE),
  ]);
});

async function annotationsOf(namespace: string): Promise<Record<string, string>> {
  return (await cluster.get(namespace, "Ingress", INGRESS)).metadata.annotations ?? {};
}

describe.concurrent("backend_config", () => {
  test("is laid over what this action makes, and taken away again", async () => {
    const namespace = "backend-config";
    await cluster.installLayer7(namespace);
    const first = await cluster.deploy(namespace, {
      request_timeout: "10m",
      backend_config: stringify({
        securityPolicy: { name: "my-policy" },
        logging: { enable: true, sampleRate: 0.5 },
        iap: { enabled: true },
        healthCheck: { checkIntervalSec: 5 },
        connectionDraining: { drainingTimeoutSec: 300 },
      }),
    });
    expect(first.outputs.changed).toBe("true");
    const spec = async () => (await cluster.get(namespace, "BackendConfig", BACKEND_CONFIG)).spec;
    const healthCheck = { type: "HTTP", port: 9091, requestPath: "/healthz" };
    expect(await spec()).toEqual({
      timeoutSec: 600,
      connectionDraining: { drainingTimeoutSec: 300 },
      securityPolicy: { name: "my-policy" },
      logging: { enable: true, sampleRate: 0.5 },
      iap: { enabled: true },
      healthCheck: { ...healthCheck, checkIntervalSec: 5, timeoutSec: 4 },
    });

    const second = await cluster.deploy(namespace, { request_timeout: "10m", wait_for: "ready" });
    expect(changesIn(second)).toEqual([`change BackendConfig ${BACKEND_CONFIG}`]);
    expect(await spec()).toEqual({
      timeoutSec: 600,
      connectionDraining: { drainingTimeoutSec: 60 },
      // Left out, they would stay on at Google. IAP's switch is gone: it was off when Milvus answered.
      securityPolicy: { name: "" },
      logging: { enable: false },
      healthCheck: { ...healthCheck, checkIntervalSec: 15, timeoutSec: 10 },
    });
    await cluster.expectUnchanged(namespace, { request_timeout: "10m" });
  });

  // What no cluster has to be asked for: __tests__/inputs/load-balancer.test.ts.
  test.each([
    {
      what: "a field that there isn't",
      config: "healthCheck: { checkIntervalSecs: 5 }",
      says: [`BackendConfig ${PAGE}/${BACKEND_CONFIG}`, "spec.healthCheck.checkIntervalSecs"],
    },
    {
      what: "a value of another type",
      config: "logging: { sampleRate: all }",
      says: ["spec.logging.sampleRate"],
    },
  ])("$what is refused before anything is changed", async ({ config, says }) => {
    const { error } = await cluster.refusal(PAGE, { backend_config: config });
    for (const text of [...says, "What to do:", "backend_config"]) expect(error).toContain(text);
  });
});

describe.concurrent("frontend_config and allow_http", () => {
  test("make a FrontendConfig that goes again when nothing wants it", async () => {
    const namespace = "frontend-config";
    await cluster.installLayer7(namespace);
    const inputs = {
      allow_http: "true",
      frontend_config: "redirectToHttps: { enabled: true, responseCodeName: PERMANENT_REDIRECT }",
      wait_for: "ready",
    };
    const first = await cluster.deploy(namespace, inputs);
    const response = await fetch(`http://${first.outputs.address}/x`, { redirect: "manual" });
    expect(response.status).toBe(308);
    expect(response.headers.get("location")).toMatch(/^https:.*\/x$/);
    expect(await annotationsOf(namespace)).toMatchObject({
      "kubernetes.io/ingress.allow-http": "true",
      [FRONTEND_CONFIG_ANNOTATION]: FRONTEND_CONFIG,
    });
    expect((await cluster.get(namespace, "FrontendConfig", FRONTEND_CONFIG)).spec).toEqual({
      redirectToHttps: { enabled: true, responseCodeName: "PERMANENT_REDIRECT" },
    });
    await cluster.expectUnchanged(namespace, inputs);

    const without = await cluster.deploy(namespace, { wait_for: "ready" });
    expect(changesIn(without).sort()).toEqual([
      `change Ingress ${INGRESS}`,
      `delete FrontendConfig ${FRONTEND_CONFIG}`,
    ]);
    expect(await cluster.names(namespace, "FrontendConfig")).toEqual([]);
    expect(await annotationsOf(namespace)).toMatchObject({ "kubernetes.io/ingress.allow-http": "false" });
    expect(await annotationsOf(namespace)).not.toHaveProperty([FRONTEND_CONFIG_ANNOTATION]);
    await vi.waitFor(() => expect(fetch(`http://${first.outputs.address}/`)).rejects.toThrow(), LIMIT);

    await cluster.deploy(namespace, { frontend_config: "sslPolicy: my-ssl-policy" });
    for (const changed of ["true", "false"]) {
      expect((await cluster.deploy(namespace, { wait_for: "ready" })).outputs.changed).toBe(changed);
      // Without it the policy would stay at Google.
      expect((await cluster.get(namespace, "FrontendConfig", FRONTEND_CONFIG)).spec).toEqual({
        sslPolicy: "",
      });
    }
  });

  test.each([
    {
      what: "a field that there isn't",
      inputs: { frontend_config: "sslPolice: mine" },
      says: ["spec.sslPolice", "What to do:", "frontend_config"],
    },
    {
      what: "an SSL policy that Google doesn't have",
      inputs: { frontend_config: "sslPolicy: missing" },
      says: [
        "There is no SSL policy missing in the project my-project; nothing was changed",
        "frontend_config",
      ],
    },
  ])("$what is refused before anything is changed", async ({ inputs, says }) => {
    const { error } = await cluster.refusal(PAGE, inputs);
    for (const text of says) expect(error).toContain(text);
  });

  test("a FrontendConfig of somebody else's stays when nothing wants it", async () => {
    const namespace = "foreign-frontend-config";
    await cluster.installLayer7(namespace);
    const apply = ["apply", "--server-side", "--field-manager=argocd-controller", "-f", "-"];
    const object = {
      apiVersion: "networking.gke.io/v1beta1",
      kind: "FrontendConfig",
      metadata: { name: FRONTEND_CONFIG, namespace },
      spec: { sslPolicy: "my-ssl-policy" },
    };
    await cluster.kubectlWith(JSON.stringify(object), ...apply);
    const { error } = await cluster.refusal(namespace, { frontend_config: "sslPolicy: another" });
    expect(error).toContain(`FrontendConfig ${namespace}/${FRONTEND_CONFIG} belongs to somebody else`);
    expect(error).toContain("argocd-controller");
    await cluster.deploy(namespace, { wait_for: "none" });
    expect(await cluster.names(namespace, "FrontendConfig")).toEqual([FRONTEND_CONFIG]);
  });
});

describe.concurrent("load_balancer: internal", () => {
  test("is reached by verify_address", async () => {
    const namespace = "load-balancer-internal";
    await cluster.installLayer7(namespace);
    const region = "us-central1";
    const reserved = await cluster.control("PUT", "static-addresses/internal-address", {
      region,
      addressType: "INTERNAL",
      purpose: "SHARED_LOADBALANCER_VIP",
    });
    const address = String(Object(reserved).address);
    let connections = 0;
    const sockets = new Set<Socket>();
    const tunnel = createServer((client) => {
      connections += 1;
      const upstream = connect(443, address);
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on("error", () => socket.destroy());
      }
      client.pipe(upstream).pipe(client);
    });
    try {
      const verifyAddress = `127.0.0.1:${await listenOnFreePort(tunnel)}`;
      const inputs = {
        load_balancer: "internal",
        static_ip_name: "internal-address",
        verify_address: verifyAddress,
        wait_for: "ready",
      };
      const first = await cluster.deploy(namespace, inputs);
      expect(connections).toBeGreaterThan(0);
      expect(first.outputs).toMatchObject({ address, certificate_status: "Active" });
      expect(await annotationsOf(namespace)).toMatchObject({
        "kubernetes.io/ingress.class": "gce-internal",
        "kubernetes.io/ingress.regional-static-ip-name": "internal-address",
      });
      await cluster.expectUnchanged(namespace, inputs);
    } finally {
      for (const socket of sockets) socket.destroy();
      tunnel.close();
    }
  });
});

describe.concurrent("manifests", () => {
  const object = (kind: string, name: string, more: object, apiVersion = "v1", metadata = {}) => ({
    apiVersion,
    kind,
    metadata: { name, ...metadata },
    ...more,
  });
  const configMap = (name: string, data: Record<string, string> = {}) => object("ConfigMap", name, { data });
  const policy = (name: string) =>
    object("NetworkPolicy", name, { spec: { podSelector: {} } }, "networking.k8s.io/v1");

  test("are applied with ours, and changed when they change; fields that somebody else manages are taken with adopt only", async () => {
    const namespace = "manifests";
    await cluster.installLayer7(namespace);
    const definition = object(
      "CustomResourceDefinition",
      "alerts.example.com",
      {
        spec: {
          group: "example.com",
          scope: "Namespaced",
          names: { kind: "Alert", plural: "alerts" },
          versions: [
            {
              name: "v1",
              served: true,
              storage: true,
              schema: {
                openAPIV3Schema: {
                  type: "object",
                  properties: {
                    spec: { type: "object", properties: { severity: { type: "string" } } },
                  },
                },
              },
            },
          ],
        },
      },
      "apiextensions.k8s.io/v1",
    );
    const alert = object("Alert", "slow", { spec: { severity: "high" } }, "example.com/v1");
    const files: Files = {
      "k8s/alert.yaml": alert,
      "k8s/policies.yaml": [policy("only-ours"), configMap("notes", { a: "1" })],
      "k8s/crd.yml": definition,
      "more.json": JSON.stringify(configMap("more")),
    };
    const inputs = { manifests: "k8s/*.yaml\nk8s/crd.yml\nmore.json", wait_for: "none" };
    const first = await cluster.deploy(namespace, inputs, { files });
    expect(changesIn(first)).toEqual(
      expect.arrayContaining([
        "create Alert slow",
        "create ConfigMap more",
        "create ConfigMap notes",
        "create CustomResourceDefinition alerts.example.com",
        `create Ingress ${INGRESS}`,
        "create NetworkPolicy only-ours",
      ]),
    );
    expect(await cluster.names(namespace, "NetworkPolicy")).toEqual(["only-ours"]);
    const severity = ["-n", namespace, "-o", "jsonpath={.spec.severity}"];
    expect(await cluster.kubectl("get", "alerts.example.com", "slow", ...severity)).toBe("high");
    await cluster.expectUnchanged(namespace, inputs, { files });

    files["k8s/policies.yaml"] = [policy("only-ours"), configMap("notes", { a: "2" })];
    const changed = await cluster.deploy(namespace, inputs, { files });
    expect(changesIn(changed)).toEqual(["change ConfigMap notes"]);
    expect((await cluster.get(namespace, "ConfigMap", "notes")).data).toEqual({ a: "2" });
    await cluster.kubectl("delete", "customresourcedefinition", "alerts.example.com");

    const apply = ["apply", "--server-side", "--field-manager=argocd-controller", "-n", namespace, "-f", "-"];
    await cluster.kubectlWith(JSON.stringify(configMap("theirs", { a: "theirs", b: "theirs" })), ...apply);
    const conflict = { manifests: "theirs.yaml", wait_for: "none" };
    const theirs = { files: { "theirs.yaml": configMap("theirs", { a: "ours" }) } };
    const { error } = await cluster.refusal(namespace, conflict, theirs);
    for (const text of [
      `ConfigMap ${namespace}/theirs (theirs.yaml, document 1, line 1) has fields that something else manages`,
      'conflict with "argocd-controller": .data.a',
      "adopt",
    ]) {
      expect(error).toContain(text);
    }
    await cluster.deploy(namespace, { ...conflict, adopt: "true" }, theirs);
    expect((await cluster.get(namespace, "ConfigMap", "theirs")).data).toEqual({ a: "ours", b: "theirs" });
    await cluster.expectUnchanged(namespace, conflict, theirs);
  });

  // What no cluster has to be asked for: __tests__/kubernetes/manifest-files.test.ts.
  test.each<{ what: string; manifests: string; files: Files; says: string[] }>([
    {
      what: "a kind that the cluster doesn't know",
      manifests: "*.yaml",
      files: { "a.yaml": configMap("fine"), "b.yaml": object("Alarm", "loud", {}, "example.org/v1") },
      says: [
        "The cluster does not know the kind of Alarm loud (b.yaml, document 1, line 1); nothing was changed.",
        "CustomResourceDefinition",
      ],
    },
    {
      what: "one among others with a field that there isn't",
      manifests: "*.yaml",
      files: {
        "a.yaml": [configMap("fine"), object("ConfigMap", "bad", { dada: {} })],
        "b.yaml": policy("fine"),
      },
      says: ["ConfigMap load-balancer-page/bad (a.yaml, document 2, line 7)", ".dada", "the manifests' file"],
    },
    {
      what: "one for a namespace that isn't there",
      manifests: "a.yaml",
      files: { "a.yaml": object("ConfigMap", "far", {}, "v1", { namespace: "nowhere" }) },
      says: ["ConfigMap nowhere/far (a.yaml, document 1, line 1)", "nowhere"],
    },
  ])("$what is refused before anything is changed", async ({ manifests, files, says }) => {
    const { error } = await cluster.refusal(PAGE, { manifests }, { files });
    for (const text of says) expect(error).toContain(text);
  });

  test("those that the account may not read, write or delete are refused before anything is changed", async () => {
    const namespace = "manifests-rights";
    await cluster.installLayer7(namespace);
    const kubeconfig = await accountIn(namespace, []);
    const files = { "policy.yaml": policy("forbidden") };
    const { error: unread } = await cluster.refusal(
      namespace,
      { kubeconfig, manifests: "policy.yaml" },
      { files },
    );
    const { error: unwritten } = await cluster.refusal(
      namespace,
      { kubeconfig: await accountIn(namespace, ["get"]), manifests: "policy.yaml" },
      { files },
    );
    expect(unread).toContain("it may not: get, patch networkpolicies.networking.k8s.io.");
    expect(unwritten).toContain("it may not: patch networkpolicies.networking.k8s.io.");

    await accountIn(namespace, ["get", "create", "patch"]);
    await cluster.deploy(namespace, { kubeconfig, manifests: "policy.yaml", wait_for: "none" }, { files });
    const teardown = { kubeconfig, mode: "teardown" };
    const { error: undeleted } = await cluster.refusal(
      namespace,
      { ...teardown, manifests: "policy.yaml" },
      { files },
    );
    expect(undeleted).toContain(
      `The API server does not delete NetworkPolicy ${namespace}/forbidden; nothing was changed.`,
    );
    expect(undeleted).toContain('cannot delete resource "networkpolicies"');
    await cluster.deploy(namespace, { frontend_config: "sslPolicy: my-ssl-policy", wait_for: "none" });
    expect((await cluster.refusal(namespace, teardown)).error).toContain(
      "it may not: list, watch, delete frontendconfigs.networking.gke.io.",
    );
  });

  /** Returns a kubeconfig of an account that may deploy in a namespace, and do this with NetworkPolicies. */
  function accountIn(namespace: string, policyVerbs: string[]): Promise<string> {
    const rule = (verbs: string[], apiGroup: string, ...resources: string[]) => ({
      apiGroups: [apiGroup],
      resources,
      verbs,
    });
    const rules = [
      rule(["*"], "", "*"),
      rule(["*"], "apps", "*"),
      rule(["*"], "networking.k8s.io", "ingresses"),
      rule(["*"], "cloud.google.com", "backendconfigs"),
      rule(["get"], "networking.gke.io", "frontendconfigs"),
      rule(policyVerbs, "networking.k8s.io", "networkpolicies"),
    ];
    return accountWith(
      cluster,
      namespace,
      rules.filter(({ verbs }) => verbs.length > 0),
    );
  }
});

// What follows changes the whole project.
test("load_balancer: internal is refused where the network has no room for Google's proxies", async () => {
  await cluster.control("DELETE", "subnetworks/proxy-only-subnet");
  try {
    const { error } = await cluster.refusal(PAGE, { load_balancer: "internal" });
    for (const text of [
      "has no proxy-only subnet in us-central1",
      "--purpose=REGIONAL_MANAGED_PROXY",
      "nothing was changed",
    ]) {
      expect(error).toContain(text);
    }
  } finally {
    const subnet = { purpose: "REGIONAL_MANAGED_PROXY", role: "ACTIVE", ipCidrRange: "10.129.0.0/23" };
    await cluster.control("PUT", "subnetworks/proxy-only-subnet", subnet);
  }
});
