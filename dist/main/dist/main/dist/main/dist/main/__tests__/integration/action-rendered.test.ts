import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../src/base/process.ts";
import { chartWith } from "./support/charts.ts";
import { CHART, HELM, type HelmName, inputsFor, TestCluster } from "./support/cluster.ts";
import type { StepResult } from "./support/job.ts";

const HELMS = ["helm3", "helm4"] as const;
const SERVICE = "my-release-milvus";
const STANDALONE = "my-release-milvus-standalone";
/** A template of the chart in which an environment variable has its place. */
const IMAGE_LINE = "          imagePullPolicy:";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());

/** Starts Helm as people do, with values of theirs. */
async function helm(name: HelmName, args: string[], values: object = {}): Promise<void> {
  const program = { name, path: cluster.tools[name], env: { KUBECONFIG: cluster.gke.kubeconfig } };
  const result = await run(program, [...args, "--values", "-"], { input: JSON.stringify(values) });
  expect(result.stderr).toBe("");
  expect(result.exitCode).toBe(0);
}

/** Installs a chart with a layer-4 load balancer, as {@link TestCluster.installSmall} does. */
async function install(name: HelmName, chart: string, namespace: string, flags: string[] = []) {
  const args = ["install", "my-release", chart, "-n", namespace, "--create-namespace", ...flags];
  await helm(name, args, {
    cluster: { enabled: false },
    etcd: { enabled: false },
    minio: { enabled: false },
    pulsarv3: { enabled: false },
    service: { type: "LoadBalancer" },
  });
}

async function deploy(
  namespace: string,
  name: HelmName,
  inputs: Record<string, string> = {},
): Promise<StepResult> {
  const job = await cluster.job({ helm: name });
  return job.main({ ...inputsFor(namespace), wait_for: "none", ...inputs });
}

/** Runs the action, which has to refuse to change anything, and returns its error. */
async function refused(namespace: string, name: HelmName, inputs: Record<string, string> = {}) {
  const before = await cluster.snapshot(namespace);
  const result = await deploy(namespace, name, inputs);
  expect(result.exitCode, result.lines.join("\n")).toBe(1);
  expect(result.errors).toHaveLength(1);
  expect(await cluster.snapshot(namespace)).toEqual(before);
  expect(await cluster.revisions(namespace)).toEqual(["deployed"]);
  return result.errors[0] ?? "";
}

async function expectDeployed(namespace: string, name: HelmName, inputs: Record<string, string> = {}) {
  const result = await deploy(namespace, name, inputs);
  expect(result.errors, result.lines.join("\n")).toEqual([]);
  return result;
}

async function standaloneOf(namespace: string): Promise<string> {
  return cluster.kubectl("get", "deployment", STANDALONE, "-n", namespace, "-o", "json");
}

describe.each(HELMS)("%s: a release", (name) => {
  test("from another chart of the same name and version is upgraded with its own chart only", async () => {
    const namespace = `namesake-${name}`;
    const env = "          env: [{name: OF_THE_FORK, value: mine}]\n";
    const fork = await chartWith(cluster, "templates/_helpers.tpl", IMAGE_LINE, env + IMAGE_LINE);
    await install(name, fork, namespace);

    const error = await refused(namespace, name);
    expect(error).toContain(`in release my-release in namespace ${namespace}; nothing was changed.`);
    expect(error).toContain(`Deployment ${STANDALONE}`);
    expect(error).toMatch(/OF_THE_FORK[\s\S]*What to do: [\s\S]*set chart [\s\S]*set post_renderer/);
    expect(error).toContain("chart_version: 5.0.19");

    await expectDeployed(namespace, name, { chart: fork });
    expect(await standaloneOf(namespace)).toContain("OF_THE_FORK");
  });

  test("whose chart renders something else at an installation is upgraded", async () => {
    const namespace = `at-install-${name}`;
    const env =
      '          env: [{name: STATE, value: {{ ternary "new" "existing" .root.Release.IsInstall }}}]\n';
    const chart = await chartWith(cluster, "templates/_helpers.tpl", IMAGE_LINE, env + IMAGE_LINE);
    await install(name, chart, namespace);

    await expectDeployed(namespace, name, { chart });
    expect(await standaloneOf(namespace)).toContain('"existing"');
    expect((await expectDeployed(namespace, name, { chart })).outputs.changed).toBe("false");
  });

  test("that --reuse-values took to a newer chart keeps what the older one's defaults set", async () => {
    const namespace = `reused-${name}`;
    const older = await chartWith(cluster, "values.yaml", "tag: v2.6.15", "tag: v2.6.6");
    await install(name, older, namespace);
    const newer = await chartWith(cluster, "Chart.yaml", "version: 5.0.19", "version: 5.0.20");
    await helm(name, ["upgrade", "my-release", newer, "-n", namespace, "--reuse-values"]);

    const result = await expectDeployed(namespace, name, { chart: newer });
    expect(result.lines.join("\n")).toContain("image.all.tag");
    expect(await standaloneOf(namespace)).toContain("milvusdb/milvus:v2.6.6");
    expect(result.outputs.milvus_version).toBe("2.6.6");
  });

  test("with a large integer is refused until its value is in quotes", async () => {
    const namespace = `exponent-${name}`;
    await install(name, CHART, namespace, ["--set", "log.file.maxSize=104857600"]);

    const error = await refused(namespace, name);
    expect(error).toMatch(/104857600[\s\S]*What to do: [\s\S]*log\.file\.maxSize in quotes/);

    await expectDeployed(namespace, name, { values: 'log: {file: {maxSize: "104857600"}}' });
    const config = await cluster.kubectl("get", "configmap", SERVICE, "-n", namespace, "-o", "json");
    expect(config).toMatch(/maxSize: \\?"?104857600/);
    expect(config).not.toContain("e+08");
  });
});

test("a chart that its release's defaults don't fit is refused, until chart_version takes it as it is", async () => {
  const namespace = "other-defaults";
  const size = 'maxSize: {{ required "log.file.maxSize is needed" .Values.log.file.maxSize }}';
  const other = await chartWith(cluster, "templates/_config.tpl", /maxSize: .*/, size);
  const fork = await chartWith(cluster, "values.yaml", /\nlog:\n.*\n.*\n/, "\n");
  await writeFile(join(fork, "templates/_config.tpl"), '{{- define "milvus.config" }}{}{{ end }}');
  await install(HELM, fork, namespace);

  const error = await refused(namespace, HELM, { chart: other });
  expect(error).toMatch(/was made with other defaults than chart milvus 5\.0\.19 has/);
  expect(error).toMatch(/Why: [\s\S]*log\.file\.maxSize is needed[\s\S]*What to do: [\s\S]*set chart /);

  await expectDeployed(namespace, HELM, { chart: other, chart_version: "5.0.19" });
});

test("a release that a post-renderer has changed needs the same post_renderer", async () => {
  const namespace = "post-renderer";
  const postRenderer = join(await mkdtemp(join(cluster.gke.directory, "renderer-")), "render");
  await writeFile(postRenderer, "#!/bin/sh\nexec /usr/bin/sed 's/maxSize: 300/maxSize: 301/'\n");
  await chmod(postRenderer, 0o755);
  await install("helm3", CHART, namespace, ["--post-renderer", postRenderer]);

  expect(await refused(namespace, "helm3")).toMatch(/maxSize: 301[\s\S]*set post_renderer/);

  await expectDeployed(namespace, "helm3", { post_renderer: postRenderer });
  const config = await cluster.kubectl("get", "configmap", SERVICE, "-n", namespace, "-o", "json");
  expect(config).toContain("maxSize: 301");
});

test.each<[what: string, file: string, piece: RegExp, named: string]>([
  ["user.yaml isn't mounted", "templates/_helpers.tpl", /list "default.yaml" "user.yaml"/, "user.yaml"],
  [
    "the Service has no annotations",
    "templates/service.yaml",
    / {2}\{\{- with \.Values\.service\.annotations \}\}[\s\S]*?\{\{- end \}\}\n/,
    "service.annotations",
  ],
])("a chart on which the action's values have no effect is refused: %s", async (what, file, piece, named) => {
  const namespace = what.startsWith("user") ? "no-mount" : "no-annotations";
  const replacement = what.startsWith("user") ? 'list "default.yaml"' : "";
  const chart = await chartWith(cluster, file, piece, replacement);
  await install(HELM, chart, namespace);

  expect(await refused(namespace, HELM, { chart })).toContain(named);
});
