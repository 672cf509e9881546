import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run } from "../../src/base/process.ts";
import { chartWith } from "./support/charts.ts";
import { CHART, HELM, type HelmName, useCluster } from "./support/cluster.ts";
import type { Inputs } from "./support/job.ts";
import { SERVICE, STANDALONE } from "./support/names.ts";

const HELMS = ["helm3", "helm4"] as const;
/** A template of the chart in which an environment variable has its place. */
const IMAGE_LINE = "          imagePullPolicy:";

const cluster = useCluster(() => ({ wait_for: "none" }));

/** Starts Helm as people do, with values of theirs. */
async function helm(name: HelmName, args: string[], values: object = {}): Promise<void> {
  const program = { name, path: cluster.tools[name], env: { KUBECONFIG: cluster.gke.kubeconfig } };
  const result = await run(program, [...args, "--values", "-"], { input: JSON.stringify(values) });
  expect(result.stderr).toBe("");
  expect(result.exitCode).toBe(0);
}

/** Installs a chart with a layer-4 load balancer, as `cluster.installSmall` does. */
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

/** Runs the action, which must refuse to change anything and leave the release's history, and returns its error. */
async function refusal(namespace: string, helm: HelmName, inputs?: Inputs): Promise<string> {
  const { error } = await cluster.refusal(namespace, inputs, { helm });
  expect(await cluster.revisions(namespace)).toEqual(["deployed"]);
  return error;
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

    const error = await refusal(namespace, name);
    expect(error).toContain(`in release my-release in namespace ${namespace}; nothing was changed.`);
    expect(error).toContain(`Deployment ${STANDALONE}`);
    expect(error).toMatch(/OF_THE_FORK[\s\S]*What to do: [\s\S]*set chart [\s\S]*set post_renderer/);
    expect(error).toContain("chart_version: 5.0.19");

    await cluster.deploy(namespace, { chart: fork }, { helm: name });
    expect(await standaloneOf(namespace)).toContain("OF_THE_FORK");
  });

  test("whose chart renders something else at an installation is upgraded", async () => {
    const namespace = `at-install-${name}`;
    const env =
      '          env: [{name: STATE, value: {{ ternary "new" "existing" .root.Release.IsInstall }}}]\n';
    const chart = await chartWith(cluster, "templates/_helpers.tpl", IMAGE_LINE, env + IMAGE_LINE);
    await install(name, chart, namespace);

    await cluster.deploy(namespace, { chart }, { helm: name });
    expect(await standaloneOf(namespace)).toContain('"existing"');
    await cluster.expectUnchanged(namespace, { chart }, { helm: name });
  });

  test("that --reuse-values took to a newer chart keeps what the older one's defaults set", async () => {
    const namespace = `reused-${name}`;
    const older = await chartWith(cluster, "values.yaml", "tag: v2.6.15", "tag: v2.6.6");
    await install(name, older, namespace);
    const newer = await chartWith(cluster, "Chart.yaml", "version: 5.0.19", "version: 5.0.20");
    await helm(name, ["upgrade", "my-release", newer, "-n", namespace, "--reuse-values"]);

    const result = await cluster.deploy(namespace, { chart: newer }, { helm: name });
    expect(result.lines.join("\n")).toContain("image.all.tag");
    expect(await standaloneOf(namespace)).toContain("milvusdb/milvus:v2.6.6");
    expect(result.outputs.milvus_version).toBe("2.6.6");
  });

  test("with a large integer is refused until its value is in quotes", async () => {
    const namespace = `exponent-${name}`;
    await install(name, CHART, namespace, ["--set", "log.file.maxSize=104857600"]);

    const error = await refusal(namespace, name);
    expect(error).toMatch(/104857600[\s\S]*What to do: [\s\S]*log\.file\.maxSize in quotes/);

    await cluster.deploy(namespace, { values: 'log: {file: {maxSize: "104857600"}}' }, { helm: name });
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

  const error = await refusal(namespace, HELM, { chart: other });
  expect(error).toMatch(/was made with other defaults than chart milvus 5\.0\.19 has/);
  expect(error).toMatch(/Why: [\s\S]*log\.file\.maxSize is needed[\s\S]*What to do: [\s\S]*set chart /);

  await cluster.deploy(namespace, { chart: other, chart_version: "5.0.19" });
});

test("a release that a post-renderer has changed needs the same post_renderer", async () => {
  const namespace = "post-renderer";
  const postRenderer = join(await mkdtemp(join(cluster.gke.directory, "renderer-")), "render");
  await writeFile(postRenderer, "#!/bin/sh\nexec /usr/bin/sed 's/maxSize: 300/maxSize: 301/'\n");
  await chmod(postRenderer, 0o755);
  await install("helm3", CHART, namespace, ["--post-renderer", postRenderer]);

  expect(await refusal(namespace, "helm3")).toMatch(/maxSize: 301[\s\S]*set post_renderer/);

  await cluster.deploy(namespace, { post_renderer: postRenderer }, { helm: "helm3" });
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

  expect(await refusal(namespace, HELM, { chart })).toContain(named);
});
