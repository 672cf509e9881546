import { mkdir, stat } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import * as v from "valibot";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { kubeconfig } from "../../local-gke/control-plane/kubeconfig.ts";
import { makePki } from "../../local-gke/control-plane/pki.ts";
import { processesOf, signalProcess } from "../../local-gke/control-plane/processes.ts";
import { ActionError } from "../../src/base/errors.ts";
import { privateDirectory } from "../../src/gke/kubeconfig.ts";
import { watchRollout } from "../../src/helm/rollout.ts";
import type { ApiServer, Manifest, Selector } from "../../src/kubernetes/api.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { follow } from "../../src/kubernetes/watch.ts";
import { secretHashOf } from "../../src/loadbalancer/presented-certificates.ts";
import { whileNothingIsLost } from "../../src/loadbalancer/reasons-to-stop.ts";
import { waitForBackends } from "../../src/loadbalancer/waits.ts";
import { LoadBalancerWatch } from "../../src/loadbalancer/watch.ts";
import { failure, useApiLab } from "../support/api-lab.ts";
import { captureLog } from "../support/job-log.ts";

const lab = useApiLab();

const log = captureLog();

const secret = (namespace: string, name: string, data: Record<string, string> = {}) => ({
  apiVersion: "v1",
  kind: "Secret" as const,
  metadata: { name, namespace },
  stringData: data,
});

const backendConfig = (namespace: string, spec: object) => ({
  apiVersion: "cloud.google.com/v1",
  kind: "BackendConfig" as const,
  metadata: { name: "backend", namespace },
  spec,
});

const ANY: Selector = "labelSelector=";

describe("objects", () => {
  test("those that are there are returned whole, those that aren't are undefined", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    await lab.apply(secret(namespace, "there", { key: "value" }));
    expect(await api.get("Secret", namespace, "there")).toMatchObject({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "there", namespace },
      data: { key: Buffer.from("value").toString("base64") },
    });
    expect(await api.get("Secret", namespace, "absent")).toBeUndefined();
    expect(await api.get("Ingress", "no-such-namespace", "absent")).toBeUndefined();
    expect(await api.hasNamespace(namespace)).toBe(true);
    expect(await api.hasNamespace("no-such-namespace")).toBe(false);
    expect(await api.get("Namespace", "", "kube-system")).toMatchObject({
      metadata: { uid: await api.clusterUid() },
    });
    expect(await (await lab.open({ flags: ["--as=nobody"] })).api.clusterUid()).toBeUndefined();
  });

  test("a list has those that a selector chooses, and the version from which a watch goes on", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const names = async (selector: Selector) =>
      (await api.list("Secret", namespace, selector)).items.map(nameOf);
    expect(await names(ANY)).toEqual([]);
    const labelled = (name: string, labels: object) => {
      const { metadata, ...rest } = secret(namespace, name);
      return lab.apply({ ...rest, metadata: { ...metadata, labels } });
    };
    await labelled("one", { component: "proxy", release: "a" });
    await labelled("two", { component: "query", release: "a" });
    await labelled("three", {});
    expect(await names(ANY)).toEqual(["one", "three", "two"]);
    expect(await names("fieldSelector=metadata.name=two")).toEqual(["two"]);
    expect(await names("labelSelector=release=a,component in (proxy,standalone)")).toEqual(["one"]);
    expect((await api.list("Secret", namespace, ANY)).resourceVersion).toMatch(/^\d+$/);
  });

  test.each<[string, (api: ApiServer) => Promise<unknown>, string]>([
    ["get", (api) => api.get("Secret", "default", "s"), "The API server does not show Secret default/s."],
    ["list", (api) => api.list("Pod", "default", ANY), "does not show the Pod list of namespace default."],
    [
      "apply",
      (api) => api.apply(secret("default", "s"), { dryRun: true }),
      "The API server refuses Secret default/s; nothing was changed.",
    ],
    [
      "annotate",
      (api) => api.annotate("Ingress", "default", "i", "a", "b"),
      "The API server does not annotate Ingress default/i.",
    ],
    [
      "log",
      (api) => api.log("default", "p", "c", { lines: 1, previous: false }),
      "The log of container c of pod default/p can't be read.",
    ],
  ])("the error names what an account without rights lacks: %s", async (_, ask, what) => {
    const { api } = await lab.open({ flags: ["--as=nobody"] });
    const message = await failure(ask(api));
    expect(message).toContain(what);
    expect(message).toMatch(/Why: .* is forbidden: User "nobody" cannot /);
    expect(message).toContain("What to do: give the account that right: roles/container.developer");
  });

  // A Role of a namespace gives no right to see the namespace itself.
  test("an account that may not see namespaces goes on", async () => {
    const { api } = await lab.open({ flags: ["--as=nobody"] });
    expect(await api.hasNamespace("default")).toBe(true);
  });
});

describe("a cluster whose HTTP load balancing is off", () => {
  test.each<[string, (api: ApiServer) => Promise<unknown>]>([
    ["get", (api) => api.get("BackendConfig", "default", "backend")],
    ["list", (api) => api.list("BackendConfig", "default", ANY)],
    [
      "watch",
      (api) =>
        api.watch(
          "BackendConfig",
          "default",
          { selector: ANY, resourceVersion: "", timeoutSeconds: 1 },
          () => {},
          new AbortController().signal,
        ),
    ],
    ["apply", (api) => api.apply(backendConfig("default", {}), { dryRun: true })],
  ])("%s says so", async (_, ask) => {
    const { api } = lab;
    expect(await failure(ask(api))).toMatch(
      /^The cluster has no BackendConfig; nothing was changed\.\nWhy: .*cloud\.google\.com\/v1.*\nWhat to do: .*HttpLoadBalancing=ENABLED/,
    );
  });
});

describe("a way that leads nowhere", () => {
  const withExec = JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
    users: [
      {
        name: "c",
        user: {
          exec: {
            apiVersion: "client.authentication.k8s.io/v1beta1",
            command: "no-such-plugin",
            interactiveMode: "Never",
          },
        },
      },
    ],
    contexts: [{ name: "c", context: { cluster: "c", user: "c" } }],
  });

  test.each<[string, () => Promise<string> | string, string, string]>([
    [
      "a port that nobody listens on",
      () => kubeconfig({ server: "https://127.0.0.1:1", token: "t" }),
      "connection refused",
      "can't be reached from this runner",
    ],
    [
      "a token that isn't good",
      () =>
        kubeconfig({
          server: `https://${lab.controlPlane.endpoint}`,
          caCertificate: lab.controlPlane.caCertificate,
          token: "no",
        }),
      "Unauthorized",
      "the cluster refuses the credentials",
    ],
    [
      "another cluster's authority",
      async () =>
        kubeconfig({
          server: `https://${lab.controlPlane.endpoint}`,
          caCertificate: (await makePki()).caCertificate,
          token: "t",
        }),
      "x509: certificate signed by unknown authority",
      "not the one that the kubeconfig expects",
    ],
    [
      "a credential plugin that isn't installed",
      () => withExec,
      "executable no-such-plugin not found",
      "credential plugin must be installed",
    ],
  ])("%s shows at the first request", async (_, content, why, fix) => {
    const { api } = await lab.open({ config: await lab.writeConfig(await content()) });
    const [evidence, remedy] = (await failure(api.hasNamespace("default"))).split("What to do: ");
    expect(evidence).toContain(why);
    expect(remedy).toContain(fix);
  });

  test.each<[string, { config?: () => Promise<string>; flags?: string[]; path?: string }, RegExp]>([
    [
      "a context that the kubeconfig hasn't",
      { flags: ["--context=elsewhere"] },
      /^kubectl could not connect to the cluster\.\nWhy: .*context "elsewhere" does not exist\nWhat to do: set context/,
    ],
    [
      "a kubeconfig that is none",
      { config: () => lab.writeConfig("clusters: [") },
      /^kubectl could not connect to the cluster\.\nWhy: .*kubeconfig/,
    ],
    [
      "a kubeconfig without credentials",
      { config: () => lab.writeConfig(kubeconfig({ server: "https://127.0.0.1:1" })) },
      /^kubectl could not connect to the cluster\.\nWhy: error: EOF\nWhat to do: the kubeconfig has no credentials/,
    ],
    [
      "a kubectl that isn't there",
      { path: "/nonexistent/kubectl" },
      /^kubectl \(\/nonexistent\/kubectl\) could not be started/,
    ],
  ])("%s is refused at once, and no program is left", async (_, { config, ...options }, message) => {
    const folder = await privateDirectory({ RUNNER_TEMP: lab.controlPlane.directory });
    const opening = lab.open({ ...options, folder, ...(config && { config: await config() }) });
    expect(await failure(opening)).toMatch(message);
    expect(processesOf(folder)).toEqual([]);
  });
});

describe("kubectl proxy", () => {
  test("listens on a socket in a folder that only this user can enter, and is gone when it is closed", async () => {
    const { api, folder } = await lab.open();
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, "kubectl.sock"))).isSocket()).toBe(true);
    expect(await api.hasNamespace("default")).toBe(true);
    expect(processesOf(folder)).toHaveLength(1);
    await api.close();
    expect(processesOf(folder)).toEqual([]);
  });

  test("is not started where the folder's path is too long for a socket", async () => {
    const folder = join(await privateDirectory({ RUNNER_TEMP: lab.controlPlane.directory }), "d".repeat(80));
    await mkdir(folder);
    expect(await failure(lab.open({ folder }))).toMatch(
      / is too long for a socket in it\.\nWhat to do: set RUNNER/,
    );
    expect(processesOf(folder)).toEqual([]);
  });

  test("keeps the path of the API server's URL", async () => {
    const api = await lab.throughGateway();
    expect(await api.hasNamespace("default")).toBe(true);
    expect(lab.gateway.paths).toContain("/api/v1/namespaces/default");
  });

  test("is asked for no more of a log than it has use for", async () => {
    const api = await lab.throughGateway();
    const what = "The log of container c of pod default/p can't be read.";
    expect(await failure(api.log("default", "p", "c", { lines: 25, previous: true }))).toContain(what);
    expect(lab.gateway.paths).toContain(
      "/api/v1/namespaces/default/pods/p/log?container=c&previous=true&tailLines=25&limitBytes=65536",
    );
  });

  test("that has ended by itself makes the next request and every watch fail with its reason", async () => {
    const { api, folder } = await lab.open();
    const { done, seen } = record(api, "default");
    await expect.poll(() => seen).toHaveLength(1);
    for (const pid of processesOf(folder)) signalProcess(pid, "SIGKILL");
    await expect.poll(() => api.end).toBeDefined();
    const message =
      /^kubectl proxy, which connects this action to the cluster, has ended\.\nWhy: kubectl was killed by SIGKILL/;
    expect(await failure(api.hasNamespace("default"))).toMatch(message);
    expect(await failure(done)).toMatch(message);
  });

  test.each([429, 503])("a request that the API server has no time for (%d) is sent again", async (code) => {
    const api = await lab.throughGateway();
    let refused = 0;
    lab.gateway.intercept = (_, response) => {
      if (refused > 0) return false;
      refused += 1;
      response.writeHead(code, { "content-type": "application/json" });
      response.end(JSON.stringify({ kind: "Status", message: "too many requests" }));
      return true;
    };
    expect(await api.hasNamespace("default")).toBe(true);
    expect(refused).toBe(1);
  });

  test("an answer that breaks off is an error, not half an object", async () => {
    const api = await lab.throughGateway();
    lab.gateway.intercept = (_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"kind":"Namespace",', () => response.destroy());
      return true;
    };
    expect(await failure(api.hasNamespace("default"))).toContain("The cluster's API server does not answer.");
  });
});

describe("apply", () => {
  beforeAll(async () => {
    await lab.createCrds();
  });

  const version = ({ metadata }: KubernetesObject) => metadata.resourceVersion;

  test("creates, keeps and changes, and owns what it has applied", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const apply = (timeoutSec: number) =>
      api.apply(backendConfig(namespace, { timeoutSec, logging: { enable: true } }), { dryRun: false });
    const created = await apply(30);
    expect(created).toMatchObject({ kind: "BackendConfig", spec: { timeoutSec: 30 } });
    expect(created.metadata.managedFields).toMatchObject([
      { manager: "milvus-gke-load-balancer", operation: "Apply" },
    ]);
    expect(version(await apply(30))).toBe(version(created));
    expect(await apply(60)).toMatchObject({
      metadata: { uid: created.metadata.uid },
      spec: { timeoutSec: 60 },
    });
    // A field that is applied no more goes.
    const shorter = await api.apply(backendConfig(namespace, { timeoutSec: 60 }), { dryRun: false });
    expect(shorter).toHaveProperty("spec", { timeoutSec: 60 });
  });

  test("stores nothing in a dry run, and tells what would be", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const checked = await api.apply(secret(namespace, "s", { key: "value" }), { dryRun: true });
    expect(checked).toMatchObject({
      kind: "Secret",
      data: { key: Buffer.from("value").toString("base64") },
    });
    expect(await api.get("Secret", namespace, "s")).toBeUndefined();
  });

  test.each<[string, (namespace: string) => Manifest, RegExp]>([
    [
      "a field that the API server doesn't know",
      (namespace) => ({ ...secret(namespace, "s"), colour: "red" }),
      /The API server refuses Secret \S+; nothing was changed\.\nWhy: .*colour/,
    ],
    [
      "a field that a CRD doesn't know",
      (namespace) => backendConfig(namespace, { healthCheck: { requestPaht: "/healthz" } }),
      /The API server refuses BackendConfig \S+; nothing was changed\.\nWhy: .*requestPaht/,
    ],
    [
      "a value of another type",
      (namespace) => backendConfig(namespace, { timeoutSec: "an hour" }),
      /Why: .*timeoutSec/,
    ],
    [
      "a namespace that isn't there",
      () => secret("no-such-namespace", "s"),
      /Why: namespaces "no-such-namespace" not found/,
    ],
  ])("refuses %s", async (_, manifest, message) => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    expect(await failure(api.apply(manifest(namespace), { dryRun: true }))).toMatch(message);
    expect(await failure(api.apply(manifest(namespace), { dryRun: false }))).not.toContain(
      "nothing was changed",
    );
  });

  test("names who else manages a field, and leaves it to them", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const theirs = backendConfig(namespace, { timeoutSec: 30 });
    await lab.kubectl(
      ["apply", "--server-side", "--field-manager=gitops", "-f", "-"],
      JSON.stringify(theirs),
    );
    const before = await api.get("BackendConfig", namespace, "backend");

    const ours = backendConfig(namespace, { timeoutSec: 3600 });
    const checked = await failure(api.apply(ours, { dryRun: true }));
    expect(checked).toContain(
      `BackendConfig ${namespace}/backend has fields that something else manages; nothing was changed.`,
    );
    const applied = await failure(api.apply(ours, { dryRun: false }));
    expect(applied).toContain(
      `Applying BackendConfig ${namespace}/backend failed: something else manages fields of it.`,
    );
    for (const message of [checked, applied]) {
      expect(message).toMatch(/Why: .*conflict with "gitops".*\.spec\.timeoutSec/);
      expect(message).toContain("set adopt to true");
      expect(message).toContain("ingress_name, backend_config_name, tls_secret");
    }
    expect(await api.get("BackendConfig", namespace, "backend")).toEqual(before);

    // The same value is no conflict: both then manage it.
    await api.apply(theirs, { dryRun: false });
  });

  test("of an object in deletion doesn't bring it back, and shows that it is leaving", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    await api.apply(secret(namespace, "s"), { dryRun: false });
    const its = { apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace } };
    const hold = (...finalizers: string[]) =>
      lab.patch({ ...its, metadata: { ...its.metadata, finalizers } });
    await hold("example.com/hold");
    await lab.delete(its);
    const applied = await api.apply(secret(namespace, "s", { key: "value" }), { dryRun: true });
    expect(applied.metadata.deletionTimestamp).toBeDefined();
    await hold();
    expect(await api.get("Secret", namespace, "s")).toBeUndefined();
  });

  test("tells a quota and a leaving namespace from missing rights", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const quota = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "q", namespace } };
    await lab.apply({ ...quota, spec: { hard: { "count/secrets": "0" } } });
    const message = () => failure(api.apply(secret(namespace, "s"), { dryRun: true }));
    await vi.waitFor(
      async () => expect(await message()).toMatch(/Why: .*exceeded quota.*\nWhat to do: raise/),
      100_000,
    );

    const metadata = { name: "holder", namespace };
    const hold = (...finalizers: string[]) =>
      lab.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { ...metadata, finalizers } });
    await hold("example.com/hold");
    await lab.delete(quota);
    await lab.delete({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    await vi.waitFor(
      async () =>
        expect(await message()).toMatch(
          /Why: .*being terminated\nWhat to do: the namespace is being deleted/,
        ),
      100_000,
    );
    await hold();
  });
});

describe("annotate", () => {
  test("sets an annotation beside others, also one of somebody else's", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    await lab.apply({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "s", namespace, annotations: { theirs: "1", synced: "1" } },
      spec: { ports: [{ port: 80 }] },
    });
    await api.annotate("Service", namespace, "s", "synced", "2");
    expect(await api.get("Service", namespace, "s")).toMatchObject({
      metadata: { annotations: { theirs: "1", synced: "2" } },
    });
  });

  test("doesn't make an object that isn't there", async () => {
    const { api } = lab;
    const annotating = api.annotate("Service", "default", "absent", "a", "b");
    expect(await failure(annotating)).toMatch(
      /does not annotate Service default\/absent\.\nWhy: services "absent" not found/,
    );
  });
});

/** The name of an object, with its `step` annotation. */
function nameOf(item: unknown): string {
  const { name, annotations } = v.parse(
    v.object({
      metadata: v.object({ name: v.string(), annotations: v.optional(v.record(v.string(), v.string()), {}) }),
    }),
    item,
  ).metadata;
  return annotations.step === undefined ? name : `${name}@${annotations.step}`;
}

/** Follows the Secrets of a namespace until the test has ended. */
function record(api: ApiServer, namespace: string) {
  const seen: string[] = [];
  const troubles: string[] = [];
  const ended = new AbortController();
  const done = follow(
    api,
    { kind: "Secret", namespace, selector: ANY },
    {
      onList: (items) => seen.push(`list: ${items.map(nameOf).join(" ")}`),
      onChange: (type, item) => seen.push(`${type} ${nameOf(item)}`),
    },
    ended.signal,
    ({ message }) => troubles.push(message),
  );
  // Each test looks at its end itself.
  const settled = done.catch(() => {});
  onTestFinished(async () => {
    ended.abort();
    await settled;
  });
  return { seen, troubles, done, abort: () => ended.abort() };
}

describe("follow", () => {
  const create = (namespace: string, name: string) => lab.apply(secret(namespace, name));
  const remove = (namespace: string, name: string) => lab.delete(secret(namespace, name));

  test("hands over what there is, then every change in its order", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    await create(namespace, "first");
    const { seen, troubles } = record(api, namespace);
    await expect.poll(() => seen).toEqual(["list: first"]);
    await create(namespace, "second");
    for (const step of ["1", "2", "3"]) await api.annotate("Secret", namespace, "second", "step", step);
    await remove(namespace, "first");
    await expect
      .poll(() => seen)
      .toEqual([
        "list: first",
        "ADDED second",
        "MODIFIED second@1",
        "MODIFIED second@2",
        "MODIFIED second@3",
        "DELETED first",
      ]);
    expect(troubles).toEqual([]);
  });

  test("a watch ends by itself when its time is over", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    await create(namespace, "there");
    const lines: string[] = [];
    const query = { selector: ANY, resourceVersion: "", timeoutSeconds: 1 };
    await api.watch("Secret", namespace, query, (line) => lines.push(line), new AbortController().signal);
    // The API server may add a bookmark.
    const changes = lines.map((line) => JSON.parse(line)).filter(({ type }) => type !== "BOOKMARK");
    expect(changes).toMatchObject([{ type: "ADDED", object: { metadata: { name: "there" } } }]);
  });

  test("opens a stream again after the API server ended it", async () => {
    const api = await lab.throughGateway();
    const namespace = await lab.newNamespace();
    const { seen, troubles } = record(api, namespace);
    await expect.poll(() => lab.gateway.watches.size).toBe(1);
    const [first] = lab.gateway.watches;
    first?.end();
    await expect.poll(() => [...lab.gateway.watches].filter((watch) => watch !== first)).toHaveLength(1);
    await create(namespace, "later");
    await expect.poll(() => seen).toEqual(["list: ", "ADDED later"]);
    expect(troubles).toEqual([]);
  });

  test("a stream that breaks goes on where it was: nothing is missed, and nothing is listed again", async () => {
    const api = await lab.throughGateway();
    const namespace = await lab.newNamespace();
    await create(namespace, "goes");
    const { seen, troubles } = record(api, namespace);
    await expect.poll(() => lab.gateway.watches.size).toBe(1);
    for (const watch of lab.gateway.watches) watch.destroy();
    await remove(namespace, "goes");
    await create(namespace, "comes");
    await expect.poll(() => seen).toEqual(["list: goes", "DELETED goes", "ADDED comes"]);
    expect(troubles).toHaveLength(1);
  });

  test("a change that comes in pieces is handed over whole, half a one never", async () => {
    const api = await lab.throughGateway();
    const namespace = await lab.newNamespace();
    const streams: ServerResponse[] = [];
    lab.gateway.intercept = (path, response) => {
      if (!path.includes("watch=1") || streams.length > 0) return false;
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      streams.push(response);
      return true;
    };
    const { seen, troubles } = record(api, namespace);
    await expect.poll(() => streams).toHaveLength(1);
    const [stream] = streams;
    const change = (name: string) => JSON.stringify({ type: "ADDED", object: { metadata: { name } } });
    // More than is ever read at once, of letters that take two bytes each.
    const long = "ö".repeat(100_000);
    stream?.write(`${change(long)}\n`);
    stream?.write(change("half").slice(0, -5));
    await expect.poll(() => seen).toEqual(["list: ", `ADDED ${long}`]);
    stream?.end();
    await expect.poll(() => seen).toEqual(["list: ", `ADDED ${long}`, "list: "]);
    expect(troubles).toEqual([]);
  });

  test("a connection that breaks in the middle of a line, and can't go on: the next list misses what was deleted", async () => {
    const api = await lab.throughGateway();
    const namespace = await lab.newNamespace();
    await create(namespace, "goes");
    await create(namespace, "stays");
    const { seen, troubles } = record(api, namespace);
    await expect.poll(() => lab.gateway.watches.size).toBe(1);
    lab.gateway.intercept = (_, response) => {
      response.destroy();
      return true;
    };
    for (const watch of lab.gateway.watches) watch.write('{"type":"MODIFIED","obj', () => watch.destroy());
    await remove(namespace, "goes");
    await expect.poll(() => troubles.length).toBeGreaterThan(1);
    lab.gateway.intercept = undefined;
    await expect.poll(() => seen).toEqual(["list: goes stays", "list: stays"]);
    await create(namespace, "comes");
    await expect.poll(() => seen).toEqual(["list: goes stays", "list: stays", "ADDED comes"]);
    expect(troubles[0]).toMatch(
      new RegExp(`^The watch of the Secret list of namespace ${namespace} broke\\.\nWhy: .*\nWhat to do: `),
    );
  });

  test("a version that is too old (410) is followed by a fresh list", async () => {
    const api = await lab.throughGateway();
    const namespace = await lab.newNamespace();
    let expired = false;
    lab.gateway.intercept = (path, response) => {
      if (!path.includes("watch=1") || expired) return false;
      expired = true;
      const object = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };
      response.writeHead(200, { "content-type": "application/json" });
      response.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
      return true;
    };
    const { seen, troubles } = record(api, namespace);
    await expect.poll(() => seen).toEqual(["list: ", "list: "]);
    expect(troubles).toEqual([]);
  });

  test("what the account may not see is refused for good", async () => {
    const { api } = await lab.open({ flags: ["--as=nobody"] });
    const { done, seen, troubles } = record(api, "default");
    expect(await failure(done)).toContain('is forbidden: User "nobody" cannot list resource "secrets"');
    expect([seen, troubles]).toEqual([[], []]);
  });

  test.each(["onList", "onChange"])("what a listener throws ends it: %s", async (listener) => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const listed = Promise.withResolvers<void>();
    const troubles: string[] = [];
    const done = follow(
      api,
      { kind: "Secret", namespace, selector: ANY },
      {
        onList: () => listed.resolve(),
        onChange: () => {},
        [listener]: () => {
          listed.resolve();
          throw new TypeError("a bug");
        },
      },
      new AbortController().signal,
      ({ message }) => troubles.push(message),
    );
    const failed = expect(done).rejects.toThrow(new TypeError("a bug"));
    await listed.promise;
    await create(namespace, "new");
    await failed;
    expect(troubles).toEqual([]);
  });

  test("an abort ends a stream, for the API server too", async () => {
    const api = await lab.throughGateway();
    const { done, abort } = record(api, await lab.newNamespace());
    await expect.poll(() => lab.gateway.watches.size).toBe(1);
    abort();
    await done;
    await expect.poll(() => lab.gateway.watches.size).toBe(0);
  });

  test("an abort ends a list that isn't answered", async () => {
    const api = await lab.throughGateway();
    const unanswered: ServerResponse[] = [];
    lab.gateway.intercept = (_, response) => {
      unanswered.push(response);
      return true;
    };
    const { done, abort, seen } = record(api, "default");
    await expect.poll(() => unanswered).toHaveLength(1);
    abort();
    await done;
    expect(seen).toEqual([]);
    await expect.poll(() => unanswered.every(({ destroyed }) => destroyed)).toBe(true);
  });

  test("an abort ends the pause after a failure", async () => {
    const { api } = await lab.open({
      config: await lab.writeConfig(kubeconfig({ server: "https://127.0.0.1:1", token: "t" })),
    });
    const { done, abort, troubles } = record(api, "default");
    await expect.poll(() => troubles).toHaveLength(1);
    abort();
    await done;
  });
});

describe("the load balancer as the cluster shows it", () => {
  const INGRESS = "my-release-milvus";
  const TLS_SECRET = "my-release-milvus-tls";
  const names = (namespace: string) => ({
    namespace,
    host: "my-release.milvus.io",
    ingress: INGRESS,
    backendConfig: "my-release-backendconfig",
    frontendConfig: "my-release-frontendconfig",
    ingressClass: "gce",
    managedCertificate: undefined,
    tlsSecret: TLS_SECRET,
    authoritySecret: "my-release-milvus-tls-ca",
    service: "my-release-milvus",
  });

  async function openWatch(api: ApiServer, namespace: string): Promise<LoadBalancerWatch> {
    const watch = await LoadBalancerWatch.open(api, names(namespace));
    onTestFinished(() => watch.close());
    return watch;
  }

  let seconds = 0;
  /** Records an event of an object's, or another occurrence of it, a second later than the one before. */
  function complain(
    namespace: string,
    name: string,
    message: string,
    kind = "Ingress",
    type = "Warning",
    reason = "Sync",
  ) {
    seconds += 1;
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace },
      involvedObject: { kind, name: INGRESS, namespace },
      type,
      reason,
      message,
      lastTimestamp: new Date(seconds * 1000).toISOString(),
    };
    return lab.apply(event);
  }

  const ingress = (namespace: string) => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress" as const,
    metadata: { name: INGRESS, namespace },
    spec: { defaultBackend: { service: { name: "s", port: { number: 1 } } } },
  });

  const messages = ({ state }: LoadBalancerWatch) => state.warnings.map(({ message }) => message);

  test("is what there was, then what happens; Warnings from before only explain", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    await api.apply(ingress(namespace), { dryRun: false });
    await complain(namespace, "older", "an older one");
    await complain(namespace, "old", "an old one");
    const watch = await openWatch(api, namespace);
    expect(watch.state).toMatchObject({
      ingress: { state: "present", object: { metadata: { name: INGRESS } } },
      service: { state: "unknown" },
      tlsSecret: { state: "unknown" },
      warnings: [],
      earlierWarning: "an old one",
    });
    await complain(namespace, "normal", "all is well", "Ingress", "Normal");
    await complain(namespace, "firewall", "a rule is missing", "Ingress", "Normal", "XPN");
    await complain(namespace, "elsewhere", "a Deployment's", "Deployment");
    await complain(namespace, "service", "its Service's", "Service");
    await complain(namespace, "older", "an older one");
    await expect.poll(() => messages(watch)).toEqual(["its Service's", "an older one"]);
    watch.forgetWarnings();
    expect(watch.state).toMatchObject({
      warnings: [],
      earlierWarning: "an older one",
      firewallAdvice: "a rule is missing",
    });
  });

  test("what happens while the API server can't be reached is seen afterwards, and nothing twice", async () => {
    const api = await lab.throughGateway();
    const namespace = await lab.newNamespace();
    await api.apply(ingress(namespace), { dryRun: false });
    await complain(namespace, "old", "an old one");
    const watch = await openWatch(api, namespace);
    await complain(namespace, "seen", "one that was seen");
    await expect.poll(() => messages(watch)).toEqual(["one that was seen"]);

    lab.gateway.intercept = (_, response) => {
      response.destroy();
      return true;
    };
    for (const watch of lab.gateway.watches) watch.destroy();
    await lab.delete(ingress(namespace));
    await complain(namespace, "missed", "one that was missed");
    const { lastSeen } = watch.state.warnings[0] ?? {};
    lab.gateway.intercept = undefined;

    await expect.poll(() => watch.state.ingress).toEqual({ state: "deleted" });
    await expect.poll(() => messages(watch)).toEqual(["one that was seen", "one that was missed"]);
    expect(watch.state.warnings[0]?.lastSeen).toBe(lastSeen);
  });

  test("a nudge changes the Ingress and nothing that anyone reads", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    await api.apply(ingress(namespace), { dryRun: false });
    const watch = await openWatch(api, namespace);
    await watch.nudge();
    const version = await watch.until(
      ({ ingress }) =>
        ingress.state === "present"
          ? ingress.object.metadata.annotations["milvus-gke-load-balancer/synced-at"]
          : undefined,
      { limit: 100_000, onLimit: () => new Error("not seen"), signal: new AbortController().signal },
    );
    expect(Date.parse(version)).not.toBeNaN();
  });

  test("an account that may not watch it gets an error that says so", async () => {
    const { api } = await lab.open({ flags: ["--as=nobody"] });
    expect(await failure(LoadBalancerWatch.open(api, names("default")))).toContain(
      "roles/container.developer",
    );
  });

  /** Does nothing until it is ended. */
  const idle = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });

  test("work that doesn't look at it ends when an object of it is deleted, even one that a finalizer holds", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const { metadata, ...rest } = ingress(namespace);
    const held = { ...rest, metadata: { ...metadata, finalizers: ["example.com/held"] } };
    await lab.apply(held);
    const watch = await openWatch(api, namespace);
    const failed = failure(whileNothingIsLost(watch, new AbortController().signal, idle));
    await lab.delete(held);
    expect(await failed).toContain(`Ingress ${namespace}/${INGRESS} was deleted while this action waited`);
  });

  test("work that doesn't look at it goes on without a watch", async () => {
    const { api, folder } = await lab.open();
    const watch = await openWatch(api, await lab.newNamespace());
    const wait = { limit: 60_000, onLimit: () => new Error("the limit has passed") };
    const watching = failure(watch.until(() => undefined, { ...wait, signal: new AbortController().signal }));
    const working = whileNothingIsLost(watch, new AbortController().signal, async () => {
      for (const pid of processesOf(folder)) signalProcess(pid, "SIGKILL");
      return watching;
    });
    expect(await working).toContain("kubectl proxy, which connects this action to the cluster, has ended.");
  });

  test("a wait for a certificate ends when its Secret gets another one, not while the watch is behind", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const give = (certificate: string) => {
      const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: TLS_SECRET, namespace } };
      return lab.apply({ ...secret, stringData: { "tls.crt": certificate } });
    };
    await give("a former one");
    const watch = await openWatch(api, namespace);
    const secretHash = secretHashOf(Buffer.from("this run's"));
    const wait = (limit: number) =>
      failure(
        waitForBackends(
          watch,
          { secretHash, preShared: [] },
          async () => ({ endpoints: undefined, obstacles: [] }),
          limit,
          new AbortController().signal,
        ),
      );
    expect(await wait(1)).toContain("isn't complete after");
    const waiting = wait(100_000);
    await give("this run's");
    await give("somebody else's");
    expect(await waiting).toContain(
      `Secret ${namespace}/${TLS_SECRET} was given another certificate by somebody else meanwhile.`,
    );
  });

  test("a wait ends when kubectl proxy has ended", async () => {
    const { api, folder } = await lab.open();
    const watch = await openWatch(api, await lab.newNamespace());
    const waiting = watch.until(() => undefined, {
      limit: 60_000,
      onLimit: () => new Error("the limit has passed"),
      signal: new AbortController().signal,
    });
    const failed = failure(waiting);
    for (const pid of processesOf(folder)) signalProcess(pid, "SIGKILL");
    expect(await failed).toContain("kubectl proxy, which connects this action to the cluster, has ended.");
  });
});

describe("the pods of a release while it is being upgraded", () => {
  const pod = (namespace: string, name: string, state?: string) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      labels: { "app.kubernetes.io/instance": "my-release" },
      annotations: state === undefined ? {} : { "local-gke/pod": state },
    },
    spec: { containers: [{ name: "milvus", image: "milvusdb/milvus:v2.6.15" }] },
  });
  const unschedulable = (namespace: string, name: string) => {
    const { spec, ...rest } = pod(namespace, name);
    return { ...rest, spec: { ...spec, nodeSelector: { absent: "true" } } };
  };
  const start = async (...objects: Parameters<typeof lab.apply>[0][]) => {
    for (const each of objects) await lab.apply(each);
  };

  function watch(api: ApiServer, namespace: string, upgradeLimit: number) {
    const rollout = watchRollout(api, namespace, "my-release", {
      timeout: upgradeLimit,
      isInstallation: false,
    });
    onTestFinished(() => rollout.close());
    const ended = new Promise<string>((resolve) => {
      rollout.failed.addEventListener("abort", () => {
        const { reason } = rollout.failed;
        expect(reason).toBeInstanceOf(ActionError);
        resolve(reason.message);
      });
    });
    return { rollout, ended };
  }

  test("a crash loop ends it, with the last lines from before the crash", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const { rollout, ended } = watch(api, namespace, 3000);
    await start(pod(namespace, "fine"), pod(namespace, "proxy", "crash-loop"));
    expect(await ended).toBe(
      [
        `Pod ${namespace}/proxy of release my-release can't get ready: CrashLoopBackOff, last exit: Error (code 134).`,
        "Why: it has waited for its next start for 1.8s in all. The last lines of container milvus:",
        "Welcome to use Milvus!",
        "panic: proxy server(http) and external grpc server share the same port, tls mode must be 0",
        "What to do: read the container's last log lines: often a value in user.yaml, a Secret, or etcd, the object store or the message queue that doesn't answer. Then run again: this run has ended the upgrade, and Helm has recorded it as failed. If it only needs more time, raise helm_timeout: the patience grows with it.",
      ].join("\n"),
    );
    expect(rollout.describe()).toBe(
      "1 of 2 pods are ready; proxy: CrashLoopBackOff, last exit: Error (code 134)",
    );
  });

  test("an image that can't be pulled ends it", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const { ended } = watch(api, namespace, 3000);
    await start(pod(namespace, "proxy", "image-pull-back-off"));
    expect(await ended).toMatch(
      /^Pod \S+\/proxy of release my-release can't get ready: ImagePullBackOff \(Back-off pulling image "milvusdb\/milvus:v2\.6\.15"/,
    );
  });

  test("a pod that no node takes ends it", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const { ended } = watch(api, namespace, 3000);
    await start(unschedulable(namespace, "proxy"));
    expect(await ended).toMatch(
      /can't get ready: Unschedulable \(0\/2 nodes are available: .*\nWhy: it has been so for 1\.0s\.\nWhat/,
    );
  });

  test("a pod that mends in time, one that goes away and another release's don't", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const { rollout, ended } = watch(api, namespace, 10_000);
    const other = pod(namespace, "other", "crash-loop");
    await start(
      { ...other, metadata: { ...other.metadata, labels: { "app.kubernetes.io/instance": "other" } } },
      pod(namespace, "goes", "crash-loop"),
      unschedulable(namespace, "waits"),
      pod(namespace, "mends", "crash-loop"),
    );
    await expect
      .poll(() => rollout.describe())
      .toMatch(/^0 of 3(?=.* goes: Crash)(?=.* mends: Crash)(?=.* waits: Unschedulable)/);
    const status = { conditions: [{ type: "Ready", status: "True" }] };
    await Promise.all([
      lab.kubectl([
        "patch",
        "pod",
        "mends",
        "-n",
        namespace,
        "--subresource=status",
        "-p",
        JSON.stringify({ status }),
      ]),
      lab.kubectl(["delete", "pod", "goes", "waits", "-n", namespace, "--grace-period=0", "--force"]),
    ]);
    await expect.poll(() => rollout.describe()).toBe("1 of 1 pods are ready");
    // Its patience ends after theirs would have.
    await start(pod(namespace, "last", "crash-loop"));
    expect(await ended).toContain(`Pod ${namespace}/last of release my-release`);
  });

  test("pods that can't be created end it, as no pod could tell", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const { rollout, ended } = watch(api, namespace, 3000);
    const labels = { app: "etcd" };
    const metadata = {
      name: "etcd",
      namespace,
      annotations: { "meta.helm.sh/release-name": "my-release" },
    };
    await lab.patch({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
    });
    const { spec } = pod(namespace, "etcd");
    await start({
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata,
      spec: {
        serviceName: "etcd",
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec },
      },
    });
    expect(await ended).toMatch(
      /^Pods of StatefulSet \S+\/etcd of release my-release can't be created\.\nWhy: it has been so for 1\.0s: Create Pod etcd-0 .* violates PodSecurity "restricted:latest": .*\nWhat to do: give the pods/,
    );
    expect(rollout.describe()).toContain(
      "0 of 0 pods are ready; StatefulSet etcd lacks pods: Create Pod etcd-0",
    );
  });

  test("it goes on when the account may not see them", async () => {
    const { api } = await lab.open({ flags: ["--as=nobody"] });
    const { rollout } = watch(api, "default", 3000);
    await vi.waitFor(() => expect(log.text).toContain("can't be watched"), 100_000);
    expect(rollout.describe()).toBe("0 of 0 pods are ready");
    expect(rollout.failed.aborted).toBe(false);
  });
});
