import { cp, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { CHART, HELM, useCluster } from "./support/cluster.ts";
import type { Inputs } from "./support/job.ts";
import { type ChartRepository, serveNewerCharts } from "./support/repository.ts";
import { planOf } from "./support/results.ts";

const SMALL = { cluster: { enabled: false }, etcd: { enabled: false }, minio: { enabled: false } };

// Most of these releases have no authentication.
const cluster = useCluster(() => ({ install: "true", allow_anonymous: "true" }));
let repository: ChartRepository;

beforeAll(async () => {
  await emptyNamespace("install-refused");
  repository = await serveNewerCharts(cluster);
});
afterAll(() => repository?.close());

async function emptyNamespace(name: string): Promise<string> {
  await cluster.kubectl("create", "namespace", name);
  return name;
}

describe.concurrent("install: true in a namespace without a release", () => {
  // First, for its waits take longer than the other tests.
  test("puts up with crash loops for as long as helm_timeout: what Milvus needs is installed with it", async () => {
    const namespace = await emptyNamespace("install-crashes");
    // The waits take 15 seconds, longer than an upgrade with this limit would bear.
    const annotations = {
      "local-gke/crashes": "4",
      "local-gke/back-off-ms": "1000",
      "local-gke/ready-after": "1s",
    };
    const inputs = { values: stringify({ ...SMALL, annotations }), helm_timeout: "24s", wait_for: "none" };
    expect((await cluster.deploy(namespace, inputs)).outputs).toMatchObject({
      changed: "true",
      release_revision: "1",
    });
  });

  test("plans, then puts Milvus in cluster mode, with the values of Milvus's page, behind the load balancer, once", async () => {
    const namespace = await emptyNamespace("install-cluster");
    // All of the page's but for its layer-4 load balancer.
    const values = {
      cluster: { enabled: true },
      minio: { enabled: false },
      externalS3: { enabled: true, host: "storage.googleapis.com", port: 443, bucketName: "my-bucket" },
      pulsarv3: { enabled: false },
      woodpecker: { enabled: true },
      extraConfigFiles: { "user.yaml": "common:\n  security:\n    authorizationEnabled: true\n" },
    };
    const inputs = { values: stringify(values) };
    const planned = await cluster.plan(namespace, inputs);
    for (const kind of ["Service", "Deployment", "Ingress"] as const) {
      expect(await cluster.names(namespace, kind)).toEqual([]);
    }
    expect(planOf(planned)).toMatchObject({
      objects: expect.arrayContaining([
        { kind: "Deployment", name: "my-release-milvus-proxy", action: "create", ofRelease: true },
        { kind: "Ingress", name: "my-release-milvus", action: "create" },
      ]),
    });
    expect(planned.summary).toContain("Deployment `my-release-milvus-proxy`");

    const first = await cluster.deploy(namespace, inputs);
    expect(first.lines).toContain("::group::Install the Helm release");
    expect(first.outputs).toMatchObject({ changed: "true", release_revision: "1", chart_version: "5.0.19" });
    expect(first.outputs.milvus_version).toMatch(/\d+\.\d+/);
    expect(await cluster.revisions(namespace)).toEqual(["deployed"]);
    expect(planOf(first)).toMatchObject({ lost: [], restarts: [], consequences: [] });
    const { service: _, extraConfigFiles, ...rest } = await cluster.values(namespace);
    const { extraConfigFiles: __, ...wanted } = values;
    expect(rest).toEqual(wanted);
    expect(extraConfigFiles).toEqual({
      "user.yaml": expect.stringMatching(/authorizationEnabled: true[\s\S]*tlsMode: 1/),
    });

    await cluster.expectUnchanged(namespace, {});
    expect(await cluster.revisions(namespace)).toEqual(["deployed"]);
  });

  // How a chart names its Service: __tests__/observe/installation.test.ts. Helm has no part in it.
  test.runIf(HELM === "helm4")("reaches a Service with another name, port and port name", async () => {
    const namespace = await emptyNamespace("install-vectors");
    const service = { port: 29530, portName: "grpc" };
    const values = { ...SMALL, fullnameOverride: "vectors", service };
    const inputs = { release: "other", values: stringify(values) };
    const first = await cluster.deploy(namespace, inputs);
    expect(first.outputs).toMatchObject({ changed: "true", milvus_version: expect.stringMatching(/\d/) });
    const { spec } = await cluster.get(namespace, "Ingress", "other-milvus");
    expect(spec).toMatchObject({
      rules: [{ http: { paths: [{ backend: { service: { name: "vectors" } } }] } }],
    });
    await cluster.expectUnchanged(namespace, inputs);
  });

  test("takes the newest chart of a repository, and keeps to it", async () => {
    const namespace = await emptyNamespace("install-newest");
    const inputs = {
      chart: "milvus",
      chart_repository: repository.url,
      values: stringify(SMALL),
      wait_for: "none",
    };
    const first = await cluster.deploy(namespace, inputs);
    expect(first.outputs).toMatchObject({ changed: "true", chart_version: "6.1.0" });
    await cluster.expectUnchanged(namespace, inputs);
  });

  const refused: { what: string; inputs: Inputs; says: string[] }[] = [
    {
      what: "a chart that the repository hasn't",
      inputs: { chart: "milvus", chart_version: "5.0.1" },
      says: ["Chart milvus 5.0.1 could not be downloaded", "check chart, chart_repository and chart_version"],
    },
    {
      what: "values that the chart can't be rendered with",
      inputs: { values: "image: { all: latest }" },
      says: ["Release my-release", "can't be installed", "image", "What to do:", "nothing was changed"],
    },
  ];
  const refusedWithoutHelm: typeof refused = [
    {
      what: "without install",
      inputs: { install: "false" },
      says: ["There is no Helm release my-release in namespace install-refused", "install: true"],
    },
    {
      what: "a namespace that isn't there",
      inputs: { namespace: "nowhere" },
      says: ["There is no namespace nowhere in the cluster; nothing was changed.", "What to do:"],
    },
    {
      what: "values that contradict the load balancer",
      inputs: { values: "ingress: { enabled: true }" },
      says: ["ingress.enabled: true", "What to do:"],
    },
  ];
  test.each([...refused, ...(HELM === "helm4" ? refusedWithoutHelm : [])])(
    "is refused: $what",
    async ({ inputs, says }) => {
      const { namespace = "install-refused", chart } = inputs;
      const { error } = await cluster.refusal(namespace, {
        ...(chart && { chart_repository: repository.url }),
        ...inputs,
      });
      for (const text of says) expect(error).toContain(text);
    },
  );

  test("that fails stays failed and says so, and the next run goes on with it", async () => {
    const namespace = await emptyNamespace("install-failing");
    const slow = stringify({ ...SMALL, annotations: { "local-gke/ready-after": "1h" } });
    const failed = await cluster.failure(namespace, { values: slow, helm_timeout: "3s" });
    expect(failed.error).toMatch(/^helm install of release my-release in namespace install-failing/);
    expect(failed.error).toContain("stays failed");
    expect(failed.outputs.changed).toBe("true");
    expect(await cluster.revisions(namespace)).toEqual(["failed"]);

    const fast = stringify({ ...SMALL, annotations: { "local-gke/ready-after": "1s" } });
    const next = await cluster.deploy(namespace, { values: fast });
    expect(next.outputs).toMatchObject({ changed: "true", release_revision: "2" });
    expect(next.outputs.milvus_version).toMatch(/\d+\.\d+/);
  });
});

describe.concurrent("a chart that its repository has no more", () => {
  const inputs = () => ({ chart: "milvus", chart_repository: repository.url, install: "false" });

  test("is taken from the release, and said so, until chart_version asks for another, which is announced", async () => {
    const namespace = "uninstalled-chart";
    await cluster.installSmall(namespace);
    const result = await cluster.deploy(namespace, inputs());
    expect(result.outputs).toMatchObject({ changed: "true", chart_version: "5.0.19" });
    expect(result.lines).toContainEqual(
      expect.stringMatching(
        /^::warning title=Milvus on GKE::Chart milvus 5\.0\.19 could not be downloaded from http.*not found.* goes on with the chart as Helm/,
      ),
    );
    await cluster.expectUnchanged(namespace, inputs());

    const newer = { ...inputs(), chart_version: "6.0.0", wait_for: "none" };
    const upgraded = await cluster.deploy(namespace, newer);
    expect(upgraded.outputs).toMatchObject({ changed: "true", chart_version: "6.0.0" });
    expect(upgraded.lines).toContainEqual(
      expect.stringMatching(
        /^::warning title=Milvus on GKE::The upgrade is a new major version of the chart, 6\.0\.0/,
      ),
    );
    const { error } = await cluster.refusal(namespace, { ...inputs(), chart_version: "5.0.19" });
    expect(error).toContain("Chart milvus 5.0.19 could not be downloaded");
  });

  // That is seen in the stored release, whichever Helm has stored it.
  test.runIf(HELM === "helm4")(
    "can't be when it needs a subchart, which is said before anything is changed",
    async () => {
      const namespace = await emptyNamespace("chart-gone-subchart");
      const chart = await mkdtemp(join(cluster.gke.directory, "with-subchart-"));
      await cp(CHART, chart, { recursive: true });
      const subchart = join(chart, "charts/extra");
      await mkdir(subchart, { recursive: true });
      await writeFile(join(subchart, "Chart.yaml"), "apiVersion: v2\nname: extra\nversion: 1.0.0\n");
      await cluster.helmWith(stringify(SMALL), "install", "my-release", chart, "-n", namespace, "-f", "-");
      const { error } = await cluster.refusal(namespace, inputs());
      for (const text of [
        "Chart milvus 5.0.19 could not be downloaded",
        "The chart that Helm keeps in release my-release can't take its place.",
        "What to do: set chart_repository",
      ]) {
        expect(error).toContain(text);
      }
    },
  );
});
