import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import { filesIn } from "../../local-gke/control-plane/programs.ts";
import { DEPLOYER } from "../../local-gke/control-plane/tokens.ts";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { CAN_SHOW_PAGES, showPage } from "../../scripts/job-page.ts";
import { chartWith } from "./support/charts.ts";
import { HELM, inputsFor, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());

interface Request {
  verb: string;
  requestURI: string;
  objectRef?: { resource: string };
}

/** Everything that the jobs' Google account has asked the API server for, from its audit log. */
async function requests(): Promise<Request[]> {
  const log = await readFile(filesIn(cluster.gke.directory).auditLog, "utf8");
  const lines = log.split("\n").filter((line) => line.includes(DEPLOYER));
  return lines.map((line): Request => JSON.parse(line));
}

/** Those of the requests that change something. */
function writes(all: Request[]): string[] {
  return all
    .filter(({ verb, requestURI }) => !["get", "list", "watch"].includes(verb) && !isDryRun(requestURI))
    .filter(({ objectRef }) => objectRef?.resource !== "selfsubjectaccessreviews")
    .map(({ verb, requestURI }) => `${verb} ${requestURI}`);
}

function isDryRun(uri: string): boolean {
  return new URL(uri, "https://kubernetes.default.svc").searchParams.get("dryRun") === "All";
}

/**
 * With these in a job's environment Helm alone would go elsewhere, as somebody else,
 * and say more than it is asked.
 */
const SWAYING_HELM = {
  HELM_KUBEAPISERVER: "https://127.0.0.1:1",
  HELM_KUBETOKEN: "somebody-elses",
  HELM_KUBECAFILE: "/no/such/authority.pem",
  HELM_KUBEASUSER: "nobody",
  HELM_KUBEASGROUPS: "no,groups",
  HELM_KUBETLS_SERVER_NAME: "elsewhere.example",
  HELM_KUBEINSECURE_SKIP_TLS_VERIFY: "true",
  HELM_DEBUG: "true",
  HELM_NAMESPACE: "elsewhere",
};

test.each([
  { what: "a release that has no load balancer yet", namespace: "plan-fresh", inputs: {}, isSwayed: false },
  {
    what: "a change of values, and variables that sway Helm,",
    namespace: "plan-values",
    inputs: { values: "annotations:\n  example.com/owner: me\n" },
    isSwayed: true,
  },
])("mode plan on $what asks for nothing that changes anything", async ({ namespace, inputs, isSwayed }) => {
  await cluster.installSmall(namespace, { attu: { enabled: true } }, HELM);
  // The pod and the old load balancer come by themselves.
  const available = [
    "--for=condition=Available",
    "deployment/my-release-milvus-standalone",
    "--timeout=300s",
  ];
  await cluster.kubectl("wait", ...available, "-n", namespace);
  const plugins = await mkdtemp(join(cluster.gke.directory, "plugins-"));
  await mkdir(join(plugins, "broken"));
  await writeFile(join(plugins, "broken", "plugin.yaml"), "name: [\n");
  const environment = isSwayed ? { ...SWAYING_HELM, HELM_PLUGINS: plugins } : {};
  const [before, asked] = [await cluster.snapshot(namespace), (await requests()).length];

  const planned = await (await cluster.job({ environment })).main({
    ...inputsFor(namespace),
    ...inputs,
    mode: "plan",
  });
  expect(planned.errors, planned.lines.join("\n")).toEqual([]);
  const during = (await requests()).slice(asked);
  expect(writes(during)).toEqual([]);
  expect(during.some(({ requestURI }) => isDryRun(requestURI))).toBe(true);
  expect(await cluster.snapshot(namespace)).toEqual(before);
  expect(await cluster.revisions(namespace)).toEqual(["deployed"]);
  expect(planned.outputs).toMatchObject({ changed: "false", release_revision: "1" });
  expect(JSON.parse(planned.outputs.plan ?? "")).toMatchObject({
    upgrade: expect.arrayContaining(["value service.type changes"]),
    consequences: expect.arrayContaining([expect.stringMatching(/^Attu of the release .* can't connect/)]),
    objects: expect.arrayContaining([{ kind: "Ingress", name: "my-release-milvus", action: "create" }]),
  });

  const deployed = await (await cluster.job({ environment })).main({
    ...inputsFor(namespace),
    ...inputs,
    wait_for: "none",
  });
  expect(deployed.outputs).toMatchObject({ changed: "true", release_revision: "2" });
  expect(writes((await requests()).slice(asked))).not.toEqual([]);
});

test("a plan for a release with 300 objects more asks for no more of them", async () => {
  const templates = [3, 300].map(
    (count) => `{{- range $number := until ${count} }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: many-{{ $number }}
{{- end }}
---
apiVersion: v1`,
  );
  const counts: number[] = [];
  for (const [index, template] of templates.entries()) {
    const namespace = `plan-large-${index}`;
    const chart = await chartWith(cluster, "templates/service.yaml", "apiVersion: v1", template);
    await cluster.installSmall(namespace, {}, HELM, chart);
    const asked = (await requests()).length;
    const planned = await (await cluster.job()).main({ ...inputsFor(namespace), chart, mode: "plan" });
    expect(planned.errors, planned.lines.join("\n")).toEqual([]);
    counts.push((await requests()).length - asked);
  }
  const [few = 0, many = 0] = counts;
  // A busy API server is asked again now and then.
  expect(many - few).toBeLessThan(50);
});

test("mode plan needs no right to change anything: it compares what no dry run may check, and says so", async () => {
  const namespace = "plan-reader";
  await cluster.installSmall(namespace);
  const kubeconfig = await readerIn(namespace);
  const pullRequest = await aPullRequest(cluster.gke.directory);
  const plan = async () => {
    const job = await cluster.job({ environment: pullRequest.environment });
    const commenting = { comment: "pull_request", github_token: "a-token-of-github" };
    const inputs = { ...inputsFor(namespace), ...commenting, kubeconfig, mode: "plan" };
    const result = await job.main(inputs);
    expect(result.errors, result.lines.join("\n")).toEqual([]);
    expect(result.lines).toContain("::add-mask::a-token-of-github");
    return result;
  };
  const first = await plan();
  expect(first.outputs).toMatchObject({ would_change: "true", to_create: expect.stringMatching(/^[34]$/) });
  expect(JSON.parse(first.outputs.plan ?? "").objects).toContainEqual({
    kind: "BackendConfig",
    name: "my-release-backendconfig",
    action: "create",
    rehearsed: false,
  });
  expect(first.summary).toContain("Not rehearsed: this account may not apply these objects");
  expect(pullRequest.comments).toEqual([expect.stringMatching(/\n## Plan: \d objects to create/)]);
  if (CAN_SHOW_PAGES) {
    expect(await showPage(first.summary)).toEqual([expect.stringContaining("2. Look and plan")]);
  }

  const deployed = await (await cluster.job()).main({ ...inputsFor(namespace), wait_for: "none" });
  expect(deployed.outputs.changed).toBe("true");
  expect((await plan()).outputs.would_change).toBe("false");
  expect(pullRequest.comments).toEqual([expect.stringContaining("\n## Nothing to change (")]);

  const change = JSON.stringify({ spec: { timeoutSec: 7 } });
  const merge = ["--type=merge", "-p", change, "-n", namespace];
  await cluster.kubectl("patch", "backendconfig", "my-release-backendconfig", ...merge);
  const drifted = await plan();
  expect(drifted.outputs).toMatchObject({ would_change: "true", to_change: "1", to_create: "0" });
  expect(drifted.lines).toContain("BackendConfig my-release-backendconfig: change (not rehearsed)");
});

/** Makes a pull request whose comments are kept on loopback, and the variables of a job for it. */
async function aPullRequest(directory: string) {
  const comments: string[] = [];
  const server = createServer(async (request, response) => {
    const { body } = request.method === "GET" ? {} : Object(await json(request));
    if (request.method === "POST") comments.push(body);
    const [, id] = /\/comments\/(\d+)$/.exec(request.url ?? "") ?? [];
    if (request.method === "PATCH") comments[Number(id)] = body;
    response.writeHead(request.method === "POST" ? 201 : 200);
    response.end(JSON.stringify(comments.map((body, id) => ({ id, body }))));
  });
  const port = await listenOnFreePort(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const event = join(directory, "pull-request.json");
  await writeFile(event, JSON.stringify({ pull_request: { number: 7 } }));
  const environment = {
    GITHUB_API_URL: `http://127.0.0.1:${port}`,
    GITHUB_REPOSITORY: "acme/search",
    GITHUB_EVENT_PATH: event,
  };
  return { comments, environment };
}

/** Returns a kubeconfig of an account that may only look, at what a plan reads. */
async function readerIn(namespace: string): Promise<string> {
  const rbac = "rbac.authorization.k8s.io";
  const name = "planner-of-milvus";
  const metadata = { name, namespace };
  const read = (apiGroup: string, ...resources: string[]) => ({
    apiGroups: [apiGroup],
    resources,
    verbs: ["get", "list"],
  });
  const rules = [
    read("", "secrets", "services", "configmaps", "pods", "events"),
    read("apps", "deployments", "statefulsets", "replicasets"),
    read("networking.k8s.io", "ingresses"),
    read("cloud.google.com", "backendconfigs"),
  ];
  const binding = {
    roleRef: { apiGroup: rbac, kind: "Role", name },
    subjects: [{ kind: "User", apiGroup: rbac, name }],
  };
  const items = [
    { apiVersion: `${rbac}/v1`, kind: "Role", metadata, rules },
    { apiVersion: `${rbac}/v1`, kind: "RoleBinding", metadata, ...binding },
  ];
  await cluster.apply({ apiVersion: "v1", kind: "List", items });
  const config = parse(await cluster.kubectl("config", "view", "--raw", "-o", "yaml"));
  config.users[0].user.as = name;
  return stringify(config);
}

test("mode plan on a pending release recovers nothing: it says who is at work", async () => {
  await cluster.installSmall("plan-pending");
  const upgrading = (await cluster.job()).start({
    ...inputsFor("plan-pending"),
    values: "annotations:\n  local-gke/ready-after: 1h\n",
  });
  const begun = ["--for=create", "secret/sh.helm.release.v1.my-release.v2", "--timeout=300s"];
  await cluster.kubectl("wait", ...begun, "-n", "plan-pending");
  const inputs = { ...inputsFor("plan-pending"), mode: "plan", recover_pending: "1s" };
  const { errors } = await (await cluster.job()).main(inputs);
  expect(errors).toEqual([expect.stringMatching(/^Revision 2 of release my-release .* pending-upgrade/)]);
  expect(await cluster.revisions("plan-pending")).toEqual(["deployed", "pending-upgrade"]);
  upgrading.kill("SIGINT");
  await upgrading.ended;
});
