import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { CAN_SHOW_PAGES, showPage } from "../../scripts/job-page.ts";
import { accountWith } from "./support/account.ts";
import { type ApiRequest, isDryRun, isWrite } from "./support/audit-log.ts";
import { chartWith } from "./support/charts.ts";
import { HELM, useCluster } from "./support/cluster.ts";
import { readyAfter, untilRevision } from "./support/pods.ts";
import { planOf } from "./support/results.ts";

const cluster = useCluster();

/** Those of the requests that change something; to ask for one's own rights doesn't. */
function writesAmong(requests: readonly ApiRequest[]): string[] {
  const reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"];
  return requests
    .filter((request) => isWrite(request) && !reviews.includes(request.objectRef?.resource ?? ""))
    .map(({ verb, requestURI }) => `${verb} ${requestURI}`);
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

test("mode plan asks for nothing that changes anything, whatever values it has and variables sway Helm", async () => {
  const namespace = "plan-fresh";
  await cluster.installSmall(namespace, { attu: { enabled: true } }, HELM);
  // The pod and the old load balancer come by themselves.
  await cluster.available(namespace);
  const plugins = await mkdtemp(join(cluster.gke.directory, "plugins-"));
  await mkdir(join(plugins, "broken"));
  await writeFile(join(plugins, "broken", "plugin.yaml"), "name: [\n");
  const swaying = { environment: { ...SWAYING_HELM, HELM_PLUGINS: plugins } };
  const change = { values: "annotations:\n  example.com/owner: me\n" };
  const before = await cluster.snapshot(namespace);

  for (const [inputs, options] of [
    [{}, {}],
    [change, swaying],
  ] as const) {
    const asked = (await cluster.requests()).length;
    const planned = await cluster.plan(namespace, inputs, options);
    const during = (await cluster.requests()).slice(asked);
    expect(writesAmong(during)).toEqual([]);
    expect(during.some(isDryRun)).toBe(true);
    expect(await cluster.snapshot(namespace)).toEqual(before);
    expect(planned.outputs.release_revision).toBe("1");
    expect(planOf(planned)).toMatchObject({
      upgrade: expect.arrayContaining(["value service.type changes"]),
      consequences: expect.arrayContaining([expect.stringMatching(/^Attu of the release .* can't connect/)]),
      objects: expect.arrayContaining([{ kind: "Ingress", name: "my-release-milvus", action: "create" }]),
    });
  }
  expect(await cluster.revisions(namespace)).toEqual(["deployed"]);

  const asked = (await cluster.requests()).length;
  const deployed = await cluster.deploy(namespace, { ...change, wait_for: "none" }, swaying);
  expect(deployed.outputs).toMatchObject({ changed: "true", release_revision: "2" });
  expect(writesAmong((await cluster.requests()).slice(asked))).not.toEqual([]);
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
    const asked = (await cluster.requests()).length;
    await cluster.plan(namespace, { chart });
    counts.push((await cluster.requests()).length - asked);
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
    const inputs = { comment: "pull_request", github_token: "a-token-of-github", kubeconfig };
    const result = await cluster.plan(namespace, inputs, { environment: pullRequest.environment });
    expect(result.lines).toContain("::add-mask::a-token-of-github");
    return result;
  };
  const first = await plan();
  expect(first.outputs).toMatchObject({ would_change: "true", to_create: expect.stringMatching(/^[34]$/) });
  expect(planOf(first).objects).toContainEqual({
    kind: "BackendConfig",
    name: "my-release-backendconfig",
    action: "create",
    rehearsed: false,
  });
  expect(first.summary).toContain("Not rehearsed: this account may not apply these objects");
  expect(pullRequest.comments).toEqual([expect.stringMatching(/\n## Plan: \d objects to create/)]);
  if (CAN_SHOW_PAGES && HELM === "helm4") {
    expect(await showPage(first.summary)).toEqual([expect.stringContaining("2. Look and plan")]);
  }

  const deployed = await cluster.deploy(namespace, { wait_for: "none" });
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
function readerIn(namespace: string): Promise<string> {
  const read = (apiGroup: string, ...resources: string[]) => ({
    apiGroups: [apiGroup],
    resources,
    verbs: ["get", "list"],
  });
  return accountWith(cluster, namespace, [
    read("", "secrets", "services", "configmaps", "pods", "events"),
    read("apps", "deployments", "statefulsets", "replicasets"),
    read("networking.k8s.io", "ingresses"),
    read("cloud.google.com", "backendconfigs"),
  ]);
}

// Whichever Helm has begun the upgrade.
test.runIf(HELM === "helm4")(
  "mode plan on a pending release recovers nothing: it says who is at work",
  async () => {
    const namespace = "plan-pending";
    await cluster.installSmall(namespace);
    const upgrading = await cluster.start(namespace, { values: readyAfter("1h") });
    await untilRevision(cluster, namespace, 2);
    const { error } = await cluster.failure(namespace, { mode: "plan", recover_pending: "1s" });
    expect(error).toMatch(/^Revision 2 of release my-release .* pending-upgrade/);
    expect(await cluster.revisions(namespace)).toEqual(["deployed", "pending-upgrade"]);
    upgrading.kill("SIGINT");
    await upgrading.ended;
  },
);
