import { appendFile, cp, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../src/base/process.ts";
import type { YamlMap } from "../../src/base/yaml.ts";
import type { LocalChart } from "../../src/helm/chart.ts";
import { fetchChart } from "../../src/helm/chart.ts";
import { chartDefaults } from "../../src/helm/chart-defaults.ts";
import { install } from "../../src/helm/install.ts";
import { lostValuesIn } from "../../src/helm/lost-values.ts";
import { compareManifests } from "../../src/helm/manifest.ts";
import { NOT_INSTALLED, type Release, readRelease, releaseToInstall } from "../../src/helm/release.ts";
import { renderUpgrade } from "../../src/helm/render.ts";
import { chartFor } from "../../src/helm/stored-chart.ts";
import { readHistory } from "../../src/helm/stored-release.ts";
import { type Helm, upgrade } from "../../src/helm/upgrade.ts";
import { joinValues } from "../../src/helm/values.ts";
import { ApiServer } from "../../src/kubernetes/api.ts";
import { CHART, HELM, useCluster } from "./support/cluster.ts";
import { type ChartRepository, serveNewerCharts } from "./support/repository.ts";

const VERSION = "5.0.19";
const SMALL = { cluster: { enabled: false }, etcd: { enabled: false } };
const NEVER = new AbortController().signal;
const MINUTE = 60_000;

const cluster = useCluster();
let directory: string;
let api: ApiServer;
let repository: ChartRepository;
let helm: Helm;

beforeAll(async () => {
  directory = await mkdtemp(join(cluster.gke.directory, "charts-"));
  api = await ApiServer.open(program("kubectl"), directory);
  repository = await serveNewerCharts(cluster);
  const { stdout } = await run(program(HELM), ["version", "--template", "{{.Version}}"]);
  helm = { ...program(HELM), version: stdout.replace(/^v/, "") };
});
afterAll(async () => {
  repository?.close();
  await api?.close();
});

function program(name: typeof HELM | "kubectl") {
  return { name, path: cluster.tools[name], env: { KUBECONFIG: cluster.gke.kubeconfig } };
}

async function releaseIn(namespace: string): Promise<Release> {
  const release = await readRelease(api, "my-release", namespace);
  if (!release) throw new Error(`there is no release my-release in namespace ${namespace}`);
  return release;
}

const reference = (version: string | undefined) => ({ chart: "milvus", repository: repository.url, version });
const request = (release: Release, chart: LocalChart, overlay: YamlMap = {}) => ({
  release,
  chart,
  values: { kind: "over", files: [], overlay } as const,
  directory,
  timeout: MINUTE,
  signal: NEVER,
});

/** Returns the path of a chart with subchart `extra`, known as `more`, which has one ConfigMap. */
async function chartWithSubchart(): Promise<string> {
  const chart = await mkdtemp(join(directory, "with-subchart-"));
  await cp(CHART, chart, { recursive: true });
  await mkdir(join(chart, "charts/extra/templates"), { recursive: true });
  const dependency = { name: "extra", alias: "more", version: ">=1.0.0", condition: "more.enabled" };
  const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "extra" } };
  const files = {
    "requirements.yaml": { dependencies: [dependency] },
    "charts/extra/Chart.yaml": { apiVersion: "v1", name: "extra", version: "1.2.3" },
    "charts/extra/templates/configmap.yaml": configMap,
  };
  for (const [path, content] of Object.entries(files)) {
    await writeFile(join(chart, path), JSON.stringify(content));
  }
  const lock = { dependencies: [{ name: "extra", version: "1.2.3", repository: "" }] };
  await writeFile(join(chart, "requirements.lock"), JSON.stringify(lock));
  return chart;
}

/** Installs a chart from a folder as `cluster.installSmall` does. */
async function installChart(chart: string, namespace: string, values: object): Promise<void> {
  const args = ["install", "my-release", chart, "-n", namespace, "--create-namespace", "--values", "-"];
  const { exitCode, stderr } = await run(helm, args, {
    // Pulsar's Job is rendered at an installation only.
    input: JSON.stringify({ ...SMALL, pulsarv3: { enabled: false }, ...values }),
  });
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
}

describe("a chart that its repository has no more", () => {
  test("is taken from the release", async () => {
    const namespace = "chart-gone";
    await cluster.installSmall(namespace);
    const [values, release] = [await cluster.values(namespace), await releaseIn(namespace)];
    const chart = await chartFor(helm, reference(VERSION), release, directory);
    expect(chart).toMatchObject({ version: VERSION, origin: "release" });

    const clusterIp = request(release, chart, { service: { type: "ClusterIP" } });
    expect(await upgrade(helm, clusterIp)).toMatchObject({ version: 2 });
    expect(await cluster.values(namespace)).toEqual({ ...values, service: { type: "ClusterIP" } });

    // After a failed upgrade Helm goes on from what is deployed.
    const newer = await fetchChart(helm, reference("6.0.0"), directory);
    const failing = request(release, newer, { annotations: { "local-gke/ready-after": "1h" } });
    await expect(upgrade(helm, { ...failing, timeout: 1000 })).rejects.toThrow("helm_timeout");
    expect(await cluster.revisions(namespace)).toEqual(["superseded", "deployed", "failed"]);
    const again = await chartFor(helm, reference(VERSION), await releaseIn(namespace), directory);
    expect(again).toMatchObject({ version: VERSION, origin: "release" });
    expect(await readFile(join(again.path, "Chart.yaml"), "utf8")).toContain(`"version":"${VERSION}"`);
  });

  test("isn't, when the release uses a subchart of it", async () => {
    const namespace = "subchart-used";
    await installChart(await chartWithSubchart(), namespace, { more: { enabled: true } });
    const before = await cluster.snapshot(namespace);
    const finding = chartFor(helm, reference(VERSION), await releaseIn(namespace), directory);
    await expect(finding).rejects.toThrow(
      /^Chart milvus 5\.0\.19 could not be downloaded [\s\S]*\nThe chart that Helm keeps in release my-release can't take its place\.\nWhy: Helm keeps no subcharts, and the release uses more\.\nWhat to do: set chart_repository /,
    );
    expect(await cluster.snapshot(namespace)).toEqual(before);
  });

  test("is, when all its subcharts are disabled, and values that enable one are refused", async () => {
    const namespace = "subcharts-disabled";
    await installChart(await chartWithSubchart(), namespace, { more: { enabled: false } });
    const release = await releaseIn(namespace);
    const chart = await chartFor(helm, reference(VERSION), release, directory);
    expect(chart.origin).toBe("release");
    expect(await upgrade(helm, request(release, chart, { labels: { a: "b" } }))).toMatchObject({
      version: 2,
    });
    // Once more, from what that upgrade has stored.
    const second = await chartFor(helm, reference(VERSION), await releaseIn(namespace), directory);
    for (const each of [chart, second]) {
      await expect(renderUpgrade(helm, request(release, each, { more: { enabled: true } }))).rejects.toThrow(
        /can't be upgraded with chart 5\.0\.19[\s\S]*subchart extra 1\.2\.3 is enabled/,
      );
    }
  });
});

test("a chart in the release that renders something else than the release has isn't taken", async () => {
  // Without its dependency in Chart.yaml, Helm stores nothing that tells of the subchart.
  const chart = await chartWithSubchart();
  await writeFile(join(chart, "requirements.yaml"), "dependencies: []\n");
  await installChart(chart, "unproven", {});
  const finding = chartFor(helm, reference(VERSION), await releaseIn("unproven"), directory);
  await expect(finding).rejects.toThrow("Why: it renders another ConfigMap extra than revision 1 has.");
});

test("a release is read as Helm itself shows it", async () => {
  const namespace = "chart-read";
  const chart = await mkdtemp(join(directory, "read-"));
  await cp(CHART, chart, { recursive: true });
  const defaults =
    "\nreading: {gone: 1, empty: null, list: [null], below: {gone: 1, kept: 2, empty: null}}\nnothing: null\n";
  await appendFile(join(chart, "values.yaml"), defaults);
  const reading = {
    gone: null,
    added: null,
    big: 104857600,
    huge: 1e21,
    below: { gone: null, added: null },
  };
  await installChart(chart, namespace, { reading, nothing: null, more: null });

  const show = async (...what: string[]): Promise<unknown> => {
    const args = ["get", ...what, "my-release", "-n", namespace, "-o", "json"];
    return JSON.parse((await run(helm, args)).stdout);
  };
  const release = await releaseIn(namespace);
  expect(release.values).toEqual(await show("values"));
  // Helm 3 shows the nulls of a chart's defaults, Helm 4 doesn't. Templates see no difference.
  const computed = JSON.parse(JSON.stringify(await show("values", "--all")), (key, value) =>
    key === "empty" ? undefined : value,
  );
  expect(release.computedValues).toEqual(computed);
  const metadata = await show("metadata");
  const { chart: chartName, chartVersion: version, appVersion, revision, status } = release;
  expect(metadata).toMatchObject({ chart: chartName, version, appVersion, revision, status });
  expect(release.serverSide).toBe(HELM === "helm4");
  const manifest = await run(helm, ["get", "manifest", "my-release", "-n", namespace]);
  expect(manifest.stdout.trim()).toBe(release.base?.manifest.trim());
});

describe("a small release", () => {
  const namespace = "chart-small";
  beforeAll(() => cluster.installSmall(namespace));

  test("another version than the deployed one is only taken from where the user says", async () => {
    const release = await releaseIn(namespace);
    const find = (version: string) => chartFor(helm, reference(version), release, directory);
    expect(await find("6.0.0")).toMatchObject({ version: "6.0.0", origin: "repository" });
    await expect(find("5.0.18")).rejects.toThrow(
      /^Chart milvus 5\.0\.18 could not be downloaded from http:[^\n]*\nWhy: [^\n]*\nWhat to do: check chart, /,
    );
    const path = { chart: CHART, repository: undefined, version: VERSION };
    expect(await chartFor(helm, path, release, directory)).toEqual({
      path: CHART,
      name: "milvus",
      version: VERSION,
      origin: "path",
    });
  });

  test("what an upgrade would do is shown before anything is changed", async () => {
    const [before, release] = [await cluster.snapshot(namespace), await releaseIn(namespace)];
    const chart = { path: CHART, name: "milvus", version: VERSION };
    const preview = async (values: YamlMap) => {
      const { manifest } = await renderUpgrade(helm, request(release, chart, values));
      return compareManifests(release.base?.manifest ?? "", manifest);
    };

    expect(await preview({})).toEqual({ restarts: [], creates: [], deletes: [] });
    expect(await preview({ service: { type: "ClusterIP" } })).toEqual({
      restarts: [],
      creates: [],
      deletes: [],
    });
    expect(await preview({ extraConfigFiles: { "user.yaml": "common: {}" } })).toMatchObject({
      restarts: [{ kind: "Deployment", name: "my-release-milvus-standalone" }],
    });
    const { creates, deletes } = await preview({
      etcd: { enabled: true },
      customConfigMap: "mine",
      standalone: { persistence: { enabled: false } },
    });
    expect(creates).toContainEqual({ kind: "StatefulSet", name: "my-release-etcd" });
    // The claim with Milvus's data stays: the chart says so.
    expect(deletes).toEqual([{ kind: "ConfigMap", name: "my-release-milvus" }]);
    await expect(preview({ service: { annotations: ["a"] } })).rejects.toThrow(
      /^Release my-release in namespace chart-small can't be upgraded with chart 5\.0\.19 and these values; nothing was changed\.\nWhy: [\s\S]*service\.yaml/,
    );
    expect(await cluster.snapshot(namespace)).toEqual(before);
    expect(await cluster.revisions(namespace)).toEqual(["deployed"]);
  });

  // The last one: it upgrades the release.
  test("values that upgrades lose when Milvus's page is followed to the letter", async () => {
    const pageStep = async (values: object) => {
      const args = ["upgrade", "my-release", CHART, "-n", namespace, "--values", "-"];
      expect(await run(helm, args, { input: JSON.stringify(values) })).toMatchObject({
        exitCode: 0,
      });
    };
    const lost = async (given: object) => {
      const { values } = await releaseIn(namespace);
      const release = { name: "my-release", namespace };
      const found = lostValuesIn(await readHistory(api, release), joinValues(values, { ...given }));
      return new Set(found.map(({ path, revision }) => `${path} ${revision}`));
    };
    expect(await lost({})).toEqual(new Set());
    await pageStep({ ...SMALL, service: { type: "ClusterIP" } });
    await pageStep({ ...SMALL, extraConfigFiles: { "user.yaml": "common:\n  security:\n    tlsMode: 1\n" } });
    const overlay = { service: { type: "ClusterIP" } };
    const authorization = 'extraConfigFiles."user.yaml".common.security.authorizationEnabled 1';
    expect(await lost(overlay)).toEqual(
      new Set([authorization, "externalS3 1", "minio 1", "pulsarv3 1", "standalone 1", "woodpecker 1"]),
    );
    const given = { minio: null, woodpecker: { enabled: true } };
    expect(await lost({ ...overlay, ...given })).toEqual(
      new Set([authorization, "externalS3 1", "pulsarv3 1", "standalone 1"]),
    );
  });
});

describe("a first installation", () => {
  const given = (namespace: string, chart: LocalChart, values: YamlMap) => ({
    release: { name: "my-release", namespace },
    chart,
    values: {
      kind: "over",
      files: [SMALL, values].map((file) => ({ text: JSON.stringify(file), values: file })),
      overlay: { service: { type: "ClusterIP" } },
    } as const,
    timeout: MINUTE,
    directory,
    signal: NEVER,
  });

  test("of the newest chart that the repository has", async () => {
    const namespace = "chart-installed";
    await cluster.kubectl("create", "namespace", namespace);
    const chart = await fetchChart(helm, reference(undefined), directory);
    expect(chart.version).toBe("6.1.0");
    const planned = releaseToInstall("my-release", namespace, await chartDefaults(helm, chart));
    expect(planned).toMatchObject({
      status: NOT_INSTALLED,
      chart: "milvus",
      chartVersion: "6.1.0",
      values: {},
    });
    const request = given(namespace, chart, { annotations: { "local-gke/ready-after": "1s" } });
    expect(await install(helm, request)).toMatchObject({ version: 1 });
    expect(await cluster.revisions(namespace)).toEqual(["deployed"]);
    const annotations = { "local-gke/ready-after": "1s" };
    const values = { ...SMALL, annotations, service: { type: "ClusterIP" } };
    const { chart: chartName, chartVersion, appVersion, computedValues } = planned;
    expect(await releaseIn(namespace)).toMatchObject({ chart: chartName, chartVersion, appVersion, values });
    expect((await releaseIn(namespace)).computedValues).toEqual(joinValues(computedValues, values));
    await expect(install(helm, request)).rejects.toThrow(
      /What to do: another run has installed it meanwhile/,
    );
  });

  test("that fails or is ended is recorded as failed", async () => {
    const namespace = "failing-install";
    await cluster.kubectl("create", "namespace", namespace);
    const values = { annotations: { "local-gke/ready-after": "1h" } };
    const request = given(namespace, { path: CHART, name: "milvus", version: VERSION }, values);
    await expect(install(helm, { ...request, timeout: 2000 })).rejects.toThrow(
      /^helm install of release my-release in namespace failing-install \(chart 5\.0\.19\) failed\.\nWhy: [\s\S]*\nWhat to do: the pods took longer than 2s/,
    );
    expect(await cluster.revisions(namespace)).toEqual(["failed"]);

    const ended = `${namespace}-ended`;
    await cluster.kubectl("create", "namespace", ended);
    const cancellation = new AbortController();
    const installing = install(helm, {
      ...given(ended, request.chart, values),
      signal: cancellation.signal,
    });
    await cluster.kubectl("wait", "--for=create", "-n", ended, "deployment/my-release-milvus-standalone");
    cancellation.abort(new Error("enough"));
    await expect(installing).rejects.toThrow("enough");
    expect(await cluster.revisions(ended)).toEqual(["failed"]);
  });
});
