import { cp, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { request } from "node:https";
import { connect, createServer as createTcpServer } from "node:net";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { PROJECT } from "../../local-gke/run-action.ts";
import { run } from "../../src/base/process.ts";
import { CHART, useCluster } from "../integration/support/cluster.ts";
import { act, type WorkflowRun } from "./act.ts";

const EXAMPLES = join(PROJECT, "examples");
/**
 * The actions that examples use, which stand-ins replace: the runner here has credentials and files already.
 */
const OTHERS = ["google-github-actions/auth@v3"];
const CHECKOUT = "actions/checkout@v7";
const CREDENTIALS = "google-github-actions/get-gke-credentials@v3";

const cluster = useCluster();
/** Flags of act's for every run. */
let flags: string[] = [];
/** Where the stand-in for GitHub's command line notes what it was asked. */
let bin = "";
let asked = "";
/** The repository that the workflows run in. */
let workspace = "";
/** Where the stand-in for gcloud notes what it was asked. */
let askedGcloud = "";
/** The bodies of the requests to the stand-in for GitHub's API. */
const comments: string[] = [];
const github = createServer(async (request, response) => {
  const sent = await text(request);
  if (sent) comments.push(JSON.parse(sent).body);
  response.writeHead(sent ? 201 : 200).end("[]");
});

/**
 * The tunnel that gcloud opens in internal-tunnel.yml: from port 8443 of this machine to
 * the address that it was given.
 */
let tunnelled = 0;
const tunnel = createTcpServer(async (client) => {
  tunnelled += 1;
  const [, address = ""] = /-L 8443:(\S+):443$/m.exec(await readFile(askedGcloud, "utf8")) ?? [];
  const server = connect(443, address);
  client.pipe(server).pipe(client);
  for (const socket of [client, server]) {
    socket.on("error", () => {
      client.destroy();
      server.destroy();
    });
  }
});

beforeAll(async () => {
  for (const namespace of ["default", "internal", "search", "recommendations", "shared", "tunnel"]) {
    await cluster.installSmall(namespace);
  }
  await cluster.installSmall("web", { cluster: { enabled: true } });
  await cluster.control("PUT", "dns-zones/milvus-io", { dnsName: "milvus.io" });
  await cluster.control("PUT", "dns-zones/example-com", { dnsName: "example.com" });
  const dnsName = "internal.example.com";
  await cluster.control("PUT", "dns-zones/internal-example-com", { dnsName, visibility: "private" });
  const api = `http://127.0.0.1:${await listenOnFreePort(github)}`;
  flags = await runnerFlags(await mkdtemp(join(cluster.gke.directory, "examples-")), api);
});
afterAll(async () => {
  await cluster.helm("uninstall", "my-release", "-n", "default");
  const made = "ingresses,backendconfigs,frontendconfigs,managedcertificates";
  await cluster.kubectl("delete", made, "--all", "-n", "default");
  // The file of docs/addresses-and-dns.md has a namespace of that name too.
  await cluster.kubectl("delete", "namespace", "internal");
  tunnel.close();
  github.closeAllConnections();
  github.close();
});

/** Lays out what the workflows use, and returns the flags with which act finds it. */
async function runnerFlags(home: string, api: string): Promise<string[]> {
  const repository = async (name: string, metadata: object) => {
    const folder = join(home, name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "action.yml"), stringify(metadata));
    return folder;
  };
  const composite = (...steps: object[]) => ({ name: "x", runs: { using: "composite", steps } });
  const flag = (uses: string, folder: string) => ["--local-repository", `${uses}=${folder}`];

  // The action as it is, with a chart that can be reached here.
  const action = parse(await readFile(join(PROJECT, "action.yml"), "utf8"));
  action.inputs.chart.default = CHART;
  action.inputs.gcloud_version.default = "none";
  const own = await repository("milvus-gke-load-balancer", action);
  await cp(join(PROJECT, "dist"), join(own, "dist"), { recursive: true });
  // Repositories have what belongs to an example in k8s/.
  const manifests = `mkdir k8s && cp "${join(EXAMPLES, "attu-and-rest")}"/* k8s/`;
  const checkout = await repository("checkout", composite({ shell: "bash", run: manifests }));
  const nothing = await repository("nothing", composite({ shell: "bash", run: "true" }));
  const kubeconfig = `echo "KUBECONFIG=${cluster.gke.kubeconfig}" >> "$GITHUB_ENV"`;
  const credentials = await repository("credentials", composite({ shell: "bash", run: kubeconfig }));

  bin = join(home, "bin");
  asked = join(home, "asked-gh");
  await mkdir(bin);
  await writeFile(asked, "");
  await writeFile(join(bin, "gh"), `#!/bin/sh\necho "$@" >> "${asked}"\n`, { mode: 0o755 });
  askedGcloud = join(home, "asked-gcloud");
  await writeFile(join(bin, "gcloud"), `#!/bin/sh\necho "$@" >> "${askedGcloud}"\n`, { mode: 0o755 });
  await symlink(cluster.tools.kubectl, join(bin, "kubectl"));
  workspace = join(home, "workspace");
  await mkdir(workspace);
  const identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
  for (const args of [
    ["init", "-q"],
    [...identity, "commit", "-q", "--allow-empty", "-m", "x"],
  ]) {
    const { exitCode, stderr } = await run({ name: "git", path: "git" }, ["-C", workspace, ...args]);
    expect(exitCode, stderr).toBe(0);
  }

  const { KUBECONFIG: _, ...variables } = cluster.gke.env;
  // Some runners have other authorities for gRPC, with none of a company's own.
  const roots = join(home, "roots.pem");
  await writeFile(roots, "");
  const environment = { ...variables, GITHUB_API_URL: api, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: roots };
  return [
    ...flag("OWNER/milvus-gke-load-balancer@v1", own),
    ...OTHERS.flatMap((uses) => flag(uses, nothing)),
    ...flag(CHECKOUT, checkout),
    ...flag(CREDENTIALS, credentials),
    "--no-skip-checkout",
    ...["ubuntu-latest", "self-hosted", "linux"].flatMap((label) => ["--platform", `${label}=-self-hosted`]),
    ...Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    ...["--secret", "MILVUS_TOKEN=root:Milvus", "--secret", "GITHUB_TOKEN=a-token-of-github"],
    ...["--directory", workspace],
  ];
}

/** Runs an example as it stands, or another workflow by its path. */
async function example(name: string, event: string, payload: object = {}): Promise<WorkflowRun> {
  const folder = await mkdtemp(join(cluster.gke.directory, "run-"));
  await writeFile(join(folder, "event.json"), JSON.stringify(payload));
  const own = ["--eventpath", join(folder, "event.json"), "--action-cache-path", join(folder, "cache")];
  return act(event, resolve(EXAMPLES, name), [...flags, ...own], [bin]);
}

/** Runs an example, which must succeed. */
async function success(name: string, event: string, payload: object = {}): Promise<WorkflowRun> {
  const outcome = await example(name, event, payload);
  expect(outcome.exitCode, outcome.log).toBe(0);
  return outcome;
}

const Address = v.object({ address: v.string() });

/** Asks the load balancer at an address, as a client that trusts local-gke's authority. */
async function answer(
  address: string,
  host: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; text: string }> {
  const ca = await readFile(cluster.gke.env.NODE_EXTRA_CA_CERTS ?? "");
  const method = body ? "POST" : "GET";
  const options = { method, path, servername: host, headers: { ...headers, host }, ca, agent: false };
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number | undefined; text: string }>();
  const asking = request({ host: address, port: 443, ...options }, async (reply) => {
    resolve({ status: reply.statusCode, text: await text(reply) });
  });
  asking.on("error", reject);
  asking.end(body && JSON.stringify(body));
  return promise;
}

const ingresses = (namespace: string) =>
  cluster.kubectl("get", "ingresses", "-n", namespace, "-o", "jsonpath={.items[*].metadata.name}");

test("every example is run here", async () => {
  const source = await readFile(import.meta.filename, "utf8");
  const names = (await readdir(EXAMPLES)).filter((name) => name.endsWith(".yml"));
  for (const name of names) expect(source).toContain(`"${name}"`);
});

describe.concurrent("examples", () => {
  test("plan-and-deploy.yml, drift.yml and google-managed.yml, one after the other", async () => {
    await success("plan-and-deploy.yml", "pull_request", { pull_request: { number: 7 } });
    expect(await ingresses("default")).toBe("");
    expect(comments).toEqual([expect.stringMatching(/\n## Plan: \d objects to create/)]);
    const deployed = await success("plan-and-deploy.yml", "push");
    expect(deployed.log).toMatch(/Milvus is at https:\/\/\S+:443/);
    expect(await ingresses("default")).toBe("my-release-milvus");

    await success("drift.yml", "schedule");
    expect(await readFile(asked, "utf8")).not.toContain("issue create");
    const change = JSON.stringify({ spec: { timeoutSec: 7 } });
    await cluster.kubectl("patch", "backendconfig", "my-release-backendconfig", "--type=merge", "-p", change);
    const drifted = await example("drift.yml", "schedule");
    expect(drifted.exitCode).toBe(1);
    expect(await readFile(asked, "utf8")).toContain("issue create --title Milvus's load balancer is not as");

    await success("google-managed.yml", "push");
  });

  test("internal.yml", async () => {
    await success("internal.yml", "push");
    const ingress = await cluster.get("internal", "Ingress", "my-release-milvus");
    expect(ingress.metadata.annotations).toMatchObject({ "kubernetes.io/ingress.class": "gce-internal" });
  });

  test("internal-tunnel.yml", async () => {
    await new Promise<void>((resolve) => tunnel.listen(8443, "127.0.0.1", resolve));
    await success("internal-tunnel.yml", "push");
    expect(await readFile(askedGcloud, "utf8")).toMatch(/^compute ssh my-vm .* -L 8443:127\.[\d.]+:443\n$/);
    expect(tunnelled).toBeGreaterThan(0);
  });

  test("attu-and-rest.yml", async () => {
    const web = v.parse(Address, await cluster.control("PUT", "static-addresses/milvus-web"));
    for (const host of ["attu.example.com", "rest.example.com"]) {
      await cluster.control("PUT", `dns-records/${host}`, { type: "A", values: [web.address] });
    }
    await success("attu-and-rest.yml", "push");
    const body = { collectionName: "x" };
    const path = "/v2/vectordb/collections/describe";
    // The run doesn't wait for an Ingress of the user's own.
    await expect
      .poll(() => answer(web.address, "rest.example.com", path, body))
      .toEqual({ status: 401, text: JSON.stringify({ code: 1800, message: "user hasn't authenticated" }) });
    const token = { authorization: "Bearer root:Milvus" };
    expect(await answer(web.address, "rest.example.com", path, body, token)).toMatchObject({ status: 404 });
    // The stand-in for Google's load balancer knows of no Identity-Aware Proxy in a BackendConfig.
    await expect
      .poll(() => answer(web.address, "attu.example.com", "/"))
      .toEqual({ status: 200, text: "<title>Attu</title>" });
    const attu = await cluster.get("web", "BackendConfig", "attu");
    expect(attu.spec).toMatchObject({ iap: { enabled: true } });
  });

  test("matrix.yml", async () => {
    await success("matrix.yml", "push");
    for (const namespace of ["search", "recommendations"]) {
      expect(await ingresses(namespace)).toBe("my-release-milvus");
    }
  });

  test("reusable.yml, called as its comment says", async () => {
    const called = await readFile(join(EXAMPLES, "reusable.yml"), "utf8");
    const [, comment = ""] = /^# .*A caller's job:\n#\n((?:#.*\n)+)/m.exec(called) ?? [];
    const { milvus } = parse(comment.replaceAll(/^# ?/gm, ""));
    const releases = [
      { host: "shared.example.com", namespace: "shared", cluster: "my-cluster", location: "us-central1" },
    ];
    const inputs = { ...milvus.with, releases: JSON.stringify(releases) };
    const uses = "./.github/workflows/milvus.yml";
    const caller = { name: "caller", on: "push", jobs: { milvus: { ...milvus, uses, with: inputs } } };
    const folder = join(workspace, ".github/workflows");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "milvus.yml"), called);
    await writeFile(join(folder, "caller.yml"), stringify(caller));

    const { results } = await success(join(folder, "caller.yml"), "push");
    const own = results.filter((result) => /^Main .*milvus-gke-load-balancer/.test(result));
    // A plan, then a deployment.
    expect(own).toHaveLength(2);
    expect(await ingresses("shared")).toBe("my-release-milvus");
  });

  test("preview.yml", async () => {
    const event = (action: string) => ({ action, number: 12, pull_request: { number: 12 } });
    await success("preview.yml", "pull_request", event("opened"));
    expect(await ingresses("preview-12")).toBe("my-release-milvus");
    await success("preview.yml", "pull_request", event("closed"));
    expect(await cluster.kubectl("get", "namespaces", "-o", "name")).not.toContain("preview-12");
  });
});
