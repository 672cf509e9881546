import { cp, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { PROJECT } from "../../local-gke/run-action.ts";
import { run } from "../../src/base/process.ts";
import { CHART, TestCluster } from "../integration/support/cluster.ts";
import { act, type WorkflowRun } from "./act.ts";

const EXAMPLES = join(PROJECT, "examples");
/** The actions that examples use, which stand-ins replace: the runner here has credentials and files already. */
const OTHERS = ["actions/checkout@v7", "google-github-actions/auth@v3"];
const CREDENTIALS = "google-github-actions/get-gke-credentials@v3";

let cluster: TestCluster;
/** Flags of act's for every run. */
let flags: string[] = [];
/** Where the stand-in for GitHub's command line notes what it was asked. */
let bin = "";
let asked = "";
/** The bodies of the requests to the stand-in for GitHub's API. */
const comments: string[] = [];
const github = createServer(async (request, response) => {
  const sent = await text(request);
  if (sent) comments.push(JSON.parse(sent).body);
  response.writeHead(sent ? 201 : 200).end("[]");
});

beforeAll(async () => {
  cluster = await TestCluster.start();
  for (const namespace of ["default", "internal", "search", "recommendations", "shared"]) {
    await cluster.installSmall(namespace);
  }
  await cluster.control("PUT", "dns-zones/milvus-io", { dnsName: "milvus.io" });
  const dnsName = "internal.example.com";
  await cluster.control("PUT", "dns-zones/internal-example-com", { dnsName, visibility: "private" });
  const api = `http://127.0.0.1:${await listenOnFreePort(github)}`;
  flags = await runnerFlags(await mkdtemp(join(cluster.gke.directory, "examples-")), api);
});
afterAll(async () => {
  github.closeAllConnections();
  github.close();
  await cluster?.stop();
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
  const nothing = await repository("nothing", composite({ shell: "bash", run: "true" }));
  const kubeconfig = `echo "KUBECONFIG=${cluster.gke.kubeconfig}" >> "$GITHUB_ENV"`;
  const credentials = await repository("credentials", composite({ shell: "bash", run: kubeconfig }));

  bin = join(home, "bin");
  asked = join(home, "asked-gh");
  await mkdir(bin);
  await writeFile(asked, "");
  await writeFile(join(bin, "gh"), `#!/bin/sh\necho "$@" >> "${asked}"\n`, { mode: 0o755 });
  await symlink(cluster.tools.kubectl, join(bin, "kubectl"));
  const workspace = join(home, "workspace");
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
    ...flag(CREDENTIALS, credentials),
    "--no-skip-checkout",
    ...["ubuntu-latest", "self-hosted", "linux"].flatMap((label) => ["--platform", `${label}=-self-hosted`]),
    ...Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    ...["--secret", "MILVUS_TOKEN=root:Milvus", "--secret", "GITHUB_TOKEN=a-token-of-github"],
    ...["--directory", workspace],
  ];
}

/** Runs an example as it stands. */
async function example(name: string, event: string, payload: object = {}): Promise<WorkflowRun> {
  const folder = await mkdtemp(join(cluster.gke.directory, "run-"));
  await writeFile(join(folder, "event.json"), JSON.stringify(payload));
  const own = ["--eventpath", join(folder, "event.json"), "--action-cache-path", join(folder, "cache")];
  return act(event, join(EXAMPLES, name), [...flags, ...own], { path: [bin] });
}

/** Runs an example, which must succeed. */
async function success(name: string, event: string, payload: object = {}): Promise<WorkflowRun> {
  const outcome = await example(name, event, payload);
  expect(outcome.exitCode, outcome.log).toBe(0);
  return outcome;
}

const ingresses = (namespace: string) =>
  cluster.kubectl("get", "ingresses", "-n", namespace, "-o", "jsonpath={.items[*].metadata.name}");

test("every example is run here", async () => {
  const source = await readFile(import.meta.filename, "utf8");
  for (const name of await readdir(EXAMPLES)) expect(source).toContain(`"${name}"`);
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
    const ingress = await cluster.get("internal", "ingress", "my-release-milvus");
    expect(ingress.metadata.annotations).toMatchObject({ "kubernetes.io/ingress.class": "gce-internal" });
  });

  test("matrix.yml", async () => {
    await success("matrix.yml", "push");
    for (const namespace of ["search", "recommendations"]) {
      expect(await ingresses(namespace)).toBe("my-release-milvus");
    }
  });

  test("reusable.yml", async () => {
    const releases = [
      { host: "shared.example.com", namespace: "shared", cluster: "my-cluster", location: "us-central1" },
    ];
    const accounts = {
      workload_identity_provider: "a-provider",
      planner: "a-planner",
      deployer: "a-deployer",
    };
    const inputs = { releases: JSON.stringify(releases), ...accounts };
    const { results } = await success("reusable.yml", "workflow_call", { inputs });
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
