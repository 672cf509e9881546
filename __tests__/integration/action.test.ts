import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { startConnectProxy } from "../../local-gke/connect-proxy.ts";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { CAN_SHOW_PAGES, showPage } from "../../scripts/job-page.ts";
import { HELM, HOST, useCluster } from "./support/cluster.ts";
import type { Job, StepResult } from "./support/job.ts";
import { FIELD_MANAGER } from "./support/names.ts";
import { expectFailure, expectSuccess, planOf } from "./support/results.ts";
import { filesBelow, traces } from "./support/traces.ts";

const cluster = useCluster();
const namespace = "first-run";

const ANNOTATIONS = {
  "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}',
  "cloud.google.com/backend-config": '{"default":"my-release-backendconfig"}',
  "cloud.google.com/neg": '{"ingress":true}',
};
/** A Helm value that nobody but the release may see. */
const STORAGE_KEY = "marker-of-a-storage-key";
/** In the release's user.yaml, which the output values_overlay may have. */
const COMMENT = "Only people with an account may read our vectors";

/** The first run on a release, its post step, and what was to be seen meanwhile. */
interface FirstRun {
  before: Record<string, unknown>;
  job: Job;
  main: StepResult;
  post: StepResult;
  /** Access rights of the files with credentials while the main step ran, by name. */
  modes: Record<string, number>;
  token: string;
  caCertificateFile: string;
}

async function firstRun(): Promise<FirstRun> {
  await cluster.install(namespace);
  const before = await cluster.values(namespace);
  const job = await cluster.job({ environment: runNumber("1") });
  const step = job.start(cluster.inputs(namespace, FIRST));
  await step.line(/Look and plan/);
  const credentials = filesBelow(job.temp);
  const modes = Object.fromEntries(credentials.map((file) => [basename(file), statSync(file).mode & 0o777]));
  const tokenFile = credentials.find((file) => basename(file) === "token");
  const token = tokenFile === undefined ? "" : readFileSync(tokenFile, "utf8");
  const main = await step.ended;
  const caCertificateFile = await readFile(main.outputs.ca_certificate_file ?? "", "utf8").catch(String);
  const post = await job.post();
  return { before, job, main, post, modes, token, caCertificateFile };
}

/** The variables by which the runner names a run. */
function runNumber(run: string): Record<string, string> {
  return { GITHUB_REPOSITORY: "acme/search", GITHUB_SHA: "1a2b3c4d5e6f", GITHUB_RUN_ID: run };
}
const FIRST_RUN = "acme/search@1a2b3c4, https://github.com/acme/search/actions/runs/1";

const FIRST = { values: `externalS3:\n  accessKey: ${STORAGE_KEY}\n` };

let run: FirstRun;
let first: StepResult;
beforeAll(async () => {
  run = await firstRun();
  first = run.main;
});

describe("a release as the page's reader has it", () => {
  test("is put behind the load balancer, and log, outputs and summary say so", async () => {
    expectSuccess(first);
    const { address } = first.outputs;
    const ingress = await cluster.get(namespace, "Ingress", "my-release-milvus");
    const [certificate, authority] = await Promise.all(
      ["my-release-milvus-tls", "my-release-milvus-tls-ca"].map(async (name) => {
        const { data } = await cluster.get(namespace, "Secret", name);
        return Buffer.from(data?.["tls.crt"] ?? "", "base64").toString();
      }),
    );
    expect(ingress).toMatchObject({ status: { loadBalancer: { ingress: [{ ip: address }] } } });
    expect(first.outputs).toMatchObject({
      host: HOST,
      port: "443",
      uri: `https://${address}:443`,
      ingress: `${namespace}/my-release-milvus`,
      certificate_status: "Active",
      certificate_expires: new X509Certificate(certificate ?? "").validToDate
        .toISOString()
        .replace(".000Z", "Z"),
      ca_certificate: authority,
      release_revision: "2",
      chart_version: "5.0.19",
      milvus_version: expect.stringMatching(/\d+\.\d+/),
      changed: "true",
    });
    expect(run.caCertificateFile).toBe(authority);
    const health: Record<string, string> = JSON.parse(first.outputs.backends ?? "{}");
    expect(Object.keys(health).some((name) => name.startsWith("k8s1-"))).toBe(true);
    expect(new Set(Object.values(health))).toEqual(new Set(["HEALTHY"]));
    expect(planOf(first)).toMatchObject({
      values: expect.arrayContaining([{ path: "service.type", before: "LoadBalancer", after: "ClusterIP" }]),
      objects: [
        { kind: "BackendConfig", name: "my-release-backendconfig", action: "create" },
        { kind: "Secret", name: "my-release-milvus-tls-ca", action: "create" },
        { kind: "Secret", name: "my-release-milvus-tls", action: "create" },
        { kind: "Ingress", name: "my-release-milvus", action: "create" },
      ],
    });
  });

  test("is upgraded once, and keeps every value", async () => {
    const history = await cluster.helm("history", "my-release", "-n", namespace, "-o", "json");
    expect(JSON.parse(history)).toMatchObject([
      { status: "superseded" },
      { status: "deployed", description: FIRST_RUN },
    ]);
    const { service, extraConfigFiles, externalS3, ...others } = await cluster.values(namespace);
    const { service: _, extraConfigFiles: userYamlBefore, externalS3: storage, ...othersBefore } = run.before;
    expect(others).toEqual(othersBefore);
    expect(externalS3).toEqual({ ...Object(storage), accessKey: "marker-of-a-storage-key" });
    expect(service).toEqual({ type: "ClusterIP", annotations: ANNOTATIONS });
    const text: string = Object(extraConfigFiles)["user.yaml"];
    expect(Object.keys(Object(extraConfigFiles))).toEqual(Object.keys(Object(userYamlBefore)));
    expect(text).toContain("# Only people with an account may read our vectors.");
    expect(parse(text)).toEqual({
      common: { security: { authorizationEnabled: true, tlsMode: 1 } },
      proxy: { http: { port: 8080 } },
    });
    const live = await cluster.get(namespace, "Service", "my-release-milvus");
    expect(live.spec).toMatchObject({ type: "ClusterIP" });
    expect(live.metadata.annotations).toMatchObject(ANNOTATIONS);
  });

  test("has the objects of the page, owned by this action", async () => {
    const [backendConfig, secret, ingress] = await Promise.all([
      cluster.get(namespace, "BackendConfig", "my-release-backendconfig"),
      cluster.get(namespace, "Secret", "my-release-milvus-tls"),
      cluster.get(namespace, "Ingress", "my-release-milvus"),
    ]);
    expect(backendConfig.spec).toEqual({
      timeoutSec: 3600,
      connectionDraining: { drainingTimeoutSec: 60 },
      healthCheck: {
        type: "HTTP",
        port: 9091,
        requestPath: "/healthz",
        checkIntervalSec: 15,
        timeoutSec: 10,
      },
    });
    expect(ingress.metadata.annotations).toMatchObject({
      "kubernetes.io/ingress.class": "gce",
      "kubernetes.io/ingress.allow-http": "false",
    });
    const service = { name: "my-release-milvus", port: { number: 19530 } };
    const paths = [{ path: "/", pathType: "Prefix", backend: { service } }];
    expect(ingress.spec).toEqual({
      tls: [{ hosts: [HOST], secretName: "my-release-milvus-tls" }],
      rules: [{ host: HOST, http: { paths } }],
    });
    for (const { metadata } of [backendConfig, secret, ingress]) {
      expect(metadata.managedFields.map(({ manager }) => manager)).toContain(FIELD_MANAGER);
      expect(metadata.annotations).toMatchObject({ "milvus-gke-load-balancer/changed-by": FIRST_RUN });
    }
    expect(secret.type).toBe("kubernetes.io/tls");
    const certificate = new X509Certificate(Buffer.from(secret.data?.["tls.crt"] ?? "", "base64"));
    expect(certificate.subjectAltName).toBe(`DNS:${HOST}`);
    expect(certificateVersion(certificate)).toBe(3);
  });

  // Helm has no part in it: once is enough.
  test.skipIf(!CAN_SHOW_PAGES || HELM === "helm3")("has a page whose diagrams Mermaid draws", async () => {
    expect(await showPage(first.summary)).toEqual([
      expect.stringContaining("Clients"),
      expect.stringContaining("Call Milvus through the load balancer"),
    ]);
  });

  test("is deployed in log groups, though Google's controller complains on the way", async () => {
    const groups = first.lines.filter((line) => line.startsWith("::group::"));
    expect(groups).toEqual([
      "::group::Tools and cluster",
      "::group::Look and plan",
      "::group::Check before changing anything",
      "::group::Upgrade the Helm release",
      "::group::Apply the manifests",
      "::group::Wait for the address",
      "::group::Wait for healthy backends",
      "::group::Call Milvus through the load balancer",
    ]);
    // A step's time follows its group, so that the log tells it while the group is closed.
    const closing = first.lines.flatMap((line, index) =>
      line === "::endgroup::" ? [first.lines[index + 1]] : [],
    );
    expect(closing).toEqual(
      groups.map((group) =>
        expect.stringMatching(new RegExp(`^${group.slice("::group::".length)}: [\\dms .]+$`)),
      ),
    );
    expect(first.summary).toContain("| Ingress `my-release-milvus` |  | create | done |");
    expect(first.summary).toMatch(/```mermaid\nflowchart LR\n/);
    const events = await cluster.kubectl("get", "events", "-n", namespace, "-o", "json");
    expect(events).toContain("was not found, notFound");
  });

  test("leaves no secret anywhere", async () => {
    expect(run.modes).toMatchObject({ kubeconfig: 0o600, token: 0o600 });
    const { token, job, post } = run;
    expect(token).toMatch(/^ya29\./);
    expect(first.lines).toContain(`::add-mask::${token}`);

    expect(post.exitCode).toBe(0);
    expect(readdirSync(job.temp)).toEqual([]);

    const secret = await cluster.get(namespace, "Secret", "my-release-milvus-tls");
    const key =
      Buffer.from(secret.data?.["tls.key"] ?? "", "base64")
        .toString()
        .split("\n")[1] ?? "";
    expect(key).not.toBe("");
    // This output has the release's user.yaml unless that may hold secrets:
    // __tests__/plan/values-overlay.test.ts.
    const { values_overlay: _, ...outputs } = first.outputs;
    const shown = traces({ ...first, outputs });
    expect(shown).not.toContain(COMMENT);
    const secrets = [token, key, cluster.gke.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN ?? "", STORAGE_KEY];
    for (const each of secrets) {
      expect(shown).not.toContain(each);
      expect(traces(post)).not.toContain(each);
      for (const file of filesBelow(job.directory))
        expect(readFileSync(file, "utf8"), file).not.toContain(each);
    }
  });

  test("is left alone by the second run", async () => {
    const snapshot = await cluster.snapshot(namespace);
    expect(await cluster.writes(namespace)).toContain("patch ingresses/my-release-milvus");
    // The run that changed the objects is still the first one.
    const second = await cluster.expectUnchanged(namespace, FIRST, { environment: runNumber("2") });
    expect(second.outputs).toEqual({
      ...first.outputs,
      changed: "false",
      ca_certificate_file: expect.any(String),
      plan: expect.stringContaining('"upgrade":[]'),
      would_change: "false",
      to_create: "0",
      to_change: "0",
      summary: expect.stringMatching(/^## Nothing to change \(/),
      values_overlay_file: expect.any(String),
    });
    expect(second.summary).toBe(second.outputs.summary);
    expect(await cluster.snapshot(namespace)).toEqual(snapshot);
  });
});

/** The `version` field of a certificate's DER: what follows the tag of the explicit context 0, plus one. */
function certificateVersion({ raw }: X509Certificate): number {
  const at = raw.indexOf(Buffer.from([0xa0, 0x03, 0x02, 0x01]));
  return (raw[at + 4] ?? -1) + 1;
}

function groupsOf({ lines }: StepResult): string[] {
  return lines.flatMap((line) => /^::group::(.*)$/.exec(line)?.[1] ?? []);
}

const LOOK = ["Tools and cluster", "Look and plan", "Check before changing anything"];
/** Inputs that lead to no cluster of Google's. */
const WITHOUT_GOOGLE = { location: "", cluster_name: "" };
/** Nothing listens there. */
const NOWHERE = "127.0.0.1:1";

// Helm has no part in what follows: once is enough.
if (HELM === "helm4") {
  describe.concurrent("the wait ends where it is asked to", () => {
    const inputs = { ...FIRST, verify_address: NOWHERE };

    test.each([
      { what: "wait_for: none", extra: { wait_for: "none" }, groups: [], address: false },
      {
        what: "verify: false",
        extra: { verify: "false" },
        groups: ["Wait for the address", "Wait for healthy backends"],
        address: true,
      },
    ])("$what", async ({ extra, groups, address }) => {
      const result = await cluster.expectUnchanged(namespace, { ...inputs, ...extra });
      expect(groupsOf(result)).toEqual([...LOOK, ...groups]);
      expect("address" in result.outputs).toBe(address);
      expect(result.outputs.ca_certificate).toContain("BEGIN CERTIFICATE");
    });

    test("verify_address is dialled instead of the address", async () => {
      const { address = "" } = first.outputs;
      let connections = 0;
      const tunnel = createServer((near) => {
        connections += 1;
        const far = connect(443, address);
        near.pipe(far).pipe(near);
        for (const socket of [near, far]) socket.on("error", () => socket.destroy());
      });
      try {
        const port = await listenOnFreePort(tunnel);
        const result = await cluster.deploy(namespace, { ...inputs, verify_address: `127.0.0.1:${port}` });
        expect(result.outputs.uri).toBe(`https://${address}:443`);
        expect(connections).toBeGreaterThan(0);
      } finally {
        tunnel.close();
      }
    });
  });

  test("behind a proxy, Milvus is proven through it: no other way leads to the load balancer", async () => {
    const { address = "" } = first.outputs;
    const proxy = await startConnectProxy(() => address);
    try {
      const kubeconfig = await readFile(cluster.gke.kubeconfig, "utf8");
      const inputs = { ...FIRST, ...WITHOUT_GOOGLE, kubeconfig, verify_address: "milvus.invalid:443" };
      const environment = { HTTPS_PROXY: proxy.url };
      const result = await cluster.deploy(namespace, inputs, { google: false, environment });
      expect(result.outputs.milvus_version).toMatch(/\d+\.\d+/);
      expect(result.lines).toContain(`The check goes through the proxy ${proxy.url}, as HTTPS_PROXY says.`);
      expect(proxy.connects).toContain("milvus.invalid:443");
    } finally {
      proxy.stop();
    }
  });

  describe.concurrent("ways to the cluster", () => {
    const inputs = cluster.inputs(namespace, { ...FIRST, ...WITHOUT_GOOGLE, wait_for: "address" });

    /** A kubeconfig whose current context leads nowhere; `other` is the local GKE. */
    async function kubeconfig(): Promise<string> {
      const config = parse(await readFile(cluster.gke.kubeconfig, "utf8"));
      const [{ context }] = config.contexts;
      config.clusters.push({ name: "nowhere", cluster: { server: `https://${NOWHERE}` } });
      config.contexts = [
        { name: "nowhere", context: { cluster: "nowhere", user: context.user } },
        { name: "other", context },
      ];
      return stringify({ ...config, "current-context": "nowhere" });
    }

    test("kubeconfig as a path, with a context; the wait ends at wait_for: address", async () => {
      const content = await kubeconfig();
      const job = await cluster.job({ google: false, files: { config: content } });
      const result = expectSuccess(await job.main({ ...inputs, kubeconfig: "config", context: "other" }));
      expect(groupsOf(result)).toEqual([...LOOK, "Wait for the address"]);
      expect(result.outputs.address).toBe(first.outputs.address);
      await job.post();
      expect(await readFile(join(job.workspace, "config"), "utf8")).toBe(content);
    });

    /** {@link kubeconfig} with a token in each user's place. */
    async function kubeconfigWith(token: string): Promise<string> {
      const config = parse(await kubeconfig());
      const users = config.users.map(({ name }: { name: string }) => ({ name, user: { token } }));
      return stringify({ ...config, users });
    }

    test("kubeconfig as content, which post removes, with a token that ends soon, which is said", async () => {
      await cluster.kubectl("create", "serviceaccount", "soon");
      const account = "--serviceaccount=default:soon";
      await cluster.kubectl("create", "clusterrolebinding", "soon", "--clusterrole=cluster-admin", account);
      const soon = (await cluster.kubectl("create", "token", "soon", "--duration=10m")).trim();
      const job = await cluster.job({ google: false });
      const step = job.start({ ...inputs, kubeconfig: await kubeconfigWith(soon), context: "other" });
      await step.line(/Look and plan/);
      const file = filesBelow(job.temp).find((path) => basename(path) === "kubeconfig") ?? "";
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const result = await step.ended;
      await cluster.kubectl("delete", "clusterrolebinding/soon", "serviceaccount/soon");
      expectSuccess(result);
      expect(result.outputs.address).toBe(first.outputs.address);
      expect(result.lines).toContainEqual(
        expect.stringMatching(
          /^::warning title=Milvus on GKE::The credentials of the kubeconfig's context "other" end at \S+, in (9m|10m).*, and nothing renews them/,
        ),
      );
      await job.post();
      expect(readdirSync(job.temp)).toEqual([]);
    });

    test("a kubeconfig whose token has ended is refused", async () => {
      const claims = Buffer.from(JSON.stringify({ exp: 1_700_000_000 })).toString("base64url");
      const ended = { ...inputs, kubeconfig: await kubeconfigWith(`h.${claims}.s`), context: "other" };
      const { error } = expectFailure(await (await cluster.job({ google: false })).main(ended));
      expect(error).toMatch(
        /^The credentials of .* "other" ended at 2023-11-14T22:13:20.000Z\.\nWhat to do:/,
      );
    });

    test("a service account key in credentials_json and a cluster by its full name", async () => {
      const job = await cluster.job({ environment: { GOOGLE_APPLICATION_CREDENTIALS: "" } });
      const key = await readFile(join(cluster.gke.directory, "service-account-key.json"), "utf8");
      const result = await job.main({
        ...inputs,
        credentials_json: key,
        cluster_name: "projects/my-project/locations/us-central1/clusters/my-cluster",
      });
      expectSuccess(result);
      expect(result.outputs.address).toBe(first.outputs.address);
      await job.post();
      const secret: string = JSON.parse(key).private_key.split("\n")[1];
      expect(traces(result)).not.toContain(secret);
      for (const file of filesBelow(job.directory))
        expect(readFileSync(file, "utf8"), file).not.toContain(secret);
    });
  });
}
