import { chmod, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { run } from "../../src/base/process.ts";
import { chartWith } from "./support/charts.ts";
import { CHART, HELM, type JobOptions, useCluster } from "./support/cluster.ts";
import type { Inputs } from "./support/job.ts";
import { SERVICE, STANDALONE } from "./support/names.ts";

/** A template of the chart in which an environment variable has its place. */
const IMAGE_LINE = "          imagePullPolicy:";

const cluster = useCluster(() => ({ wait_for: "none" }));

/** Starts Helm as people do, with values of theirs. */
async function helm(args: string[], values: object = {}, environment: Record<string, string> = {}) {
  const env = { KUBECONFIG: cluster.gke.kubeconfig, ...environment };
  const program = { name: "helm", path: cluster.tools[HELM], env };
  const result = await run(program, [...args, "--values", "-"], { input: JSON.stringify(values) });
  expect(result.stderr).toBe("");
  expect(result.exitCode).toBe(0);
}

/** Installs a chart with a layer-4 load balancer, as `cluster.installSmall` does. */
async function install(
  chart: string,
  namespace: string,
  flags: string[] = [],
  environment: Record<string, string> = {},
): Promise<void> {
  const args = ["install", "my-release", chart, "-n", namespace, "--create-namespace", ...flags];
  const values = {
    cluster: { enabled: false },
    etcd: { enabled: false },
    minio: { enabled: false },
    pulsarv3: { enabled: false },
    service: { type: "LoadBalancer" },
  };
  await helm(args, values, environment);
}

/** Runs the action, which must refuse to change anything and leave the release's history, and returns its error. */
async function refusal(namespace: string, inputs?: Inputs, options?: JobOptions): Promise<string> {
  const { error } = await cluster.refusal(namespace, inputs, options);
  expect(await cluster.revisions(namespace)).toEqual(["deployed"]);
  return error;
}

async function standaloneOf(namespace: string): Promise<string> {
  return JSON.stringify(await cluster.get(namespace, "Deployment", STANDALONE));
}

/** Milvus's settings as the chart renders them. */
async function configOf(namespace: string): Promise<string> {
  return JSON.stringify(await cluster.get(namespace, "ConfigMap", SERVICE));
}

describe("a release", () => {
  test("from another chart of the same name and version is upgraded with its own chart only", async () => {
    const namespace = "namesake";
    // What it renders at an installation only is no difference.
    const env =
      '          env: [{name: OF_THE_FORK, value: {{ ternary "new" "existing" .root.Release.IsInstall }}}]\n';
    const fork = await chartWith(cluster, "templates/_helpers.tpl", IMAGE_LINE, env + IMAGE_LINE);
    await install(fork, namespace);

    const error = await refusal(namespace);
    expect(error).toContain(`in release my-release in namespace ${namespace}; nothing was changed.`);
    expect(error).toContain(`Deployment ${STANDALONE}`);
    expect(error).toMatch(/OF_THE_FORK[\s\S]*What to do: [\s\S]*set chart [\s\S]*set post_renderer/);
    expect(error).toContain("chart_version: 5.0.19");

    await cluster.deploy(namespace, { chart: fork });
    expect(await standaloneOf(namespace)).toContain('{"name":"OF_THE_FORK","value":"existing"}');
    await cluster.expectUnchanged(namespace, { chart: fork });
  });

  test("that --reuse-values took to a newer chart keeps what the older one's defaults set", async () => {
    const namespace = "reused";
    const older = await chartWith(cluster, "values.yaml", "tag: v2.6.15", "tag: v2.6.6");
    await install(older, namespace);
    const newer = await chartWith(cluster, "Chart.yaml", "version: 5.0.19", "version: 5.0.20");
    await helm(["upgrade", "my-release", newer, "-n", namespace, "--reuse-values"]);

    const result = await cluster.deploy(namespace, { chart: newer });
    expect(result.lines.join("\n")).toContain("image.all.tag");
    expect(await standaloneOf(namespace)).toContain("milvusdb/milvus:v2.6.6");
    expect(result.outputs.milvus_version).toBe("2.6.6");
  });

  test("with a large integer is refused until its value is in quotes", async () => {
    const namespace = "exponent";
    await install(CHART, namespace, ["--set", "log.file.maxSize=104857600"]);

    const error = await refusal(namespace);
    expect(error).toMatch(/104857600[\s\S]*What to do: [\s\S]*log\.file\.maxSize in quotes/);

    await cluster.deploy(namespace, { values: 'log: {file: {maxSize: "104857600"}}' });
    const config = await configOf(namespace);
    expect(config).toMatch(/maxSize: \\?"?104857600/);
    expect(config).not.toContain("e+08");
  });

  test("that a post-renderer has changed needs the same post_renderer", async () => {
    const namespace = "post-renderer";
    const { name, environment } = await postRenderer(["/usr/bin/sed", "s/maxSize: 300/maxSize: 301/"]);
    await install(CHART, namespace, ["--post-renderer", name], environment);

    expect(await refusal(namespace, {}, { environment })).toMatch(/maxSize: 301[\s\S]*set post_renderer/);

    await cluster.deploy(namespace, { post_renderer: name }, { environment });
    expect(await configOf(namespace)).toContain("maxSize: 301");
  });
});

/** Makes a post-renderer of a command: a program for Helm 3, a plugin for Helm 4. */
async function postRenderer(
  command: [program: string, arg: string],
): Promise<{ name: string; environment: Record<string, string> }> {
  const directory = await mkdtemp(join(cluster.gke.directory, "renderer-"));
  const [program, arg] = command;
  if (HELM === "helm3") {
    const name = join(directory, "render");
    await writeFile(name, `#!/bin/sh\nexec ${program} '${arg}'\n`);
    await chmod(name, 0o755);
    return { name, environment: {} };
  }
  await mkdir(join(directory, "render"));
  const plugin = {
    apiVersion: "v1",
    type: "postrenderer/v1",
    name: "render",
    version: "1.0.0",
    runtime: "subprocess",
    runtimeConfig: { platformCommand: [{ command: program, args: [arg] }] },
  };
  await writeFile(join(directory, "render/plugin.yaml"), stringify(plugin));
  return { name: "render", environment: { HELM_PLUGINS: directory } };
}

// These come from what the chart renders: once is enough.
if (HELM === "helm4") {
  test("a chart that its release's defaults don't fit is refused, until chart_version takes it as it is", async () => {
    const namespace = "other-defaults";
    const size = 'maxSize: {{ required "log.file.maxSize is needed" .Values.log.file.maxSize }}';
    const other = await chartWith(cluster, "templates/_config.tpl", /maxSize: .*/, size);
    const fork = await chartWith(cluster, "values.yaml", /\nlog:\n.*\n.*\n/, "\n");
    await writeFile(join(fork, "templates/_config.tpl"), '{{- define "milvus.config" }}{}{{ end }}');
    await install(fork, namespace);

    const error = await refusal(namespace, { chart: other });
    expect(error).toMatch(/was made with other defaults than chart milvus 5\.0\.19 has/);
    expect(error).toMatch(/Why: [\s\S]*log\.file\.maxSize is needed[\s\S]*What to do: [\s\S]*set chart /);

    await cluster.deploy(namespace, { chart: other, chart_version: "5.0.19" });
  });

  // __tests__/plan/rendered.test.ts has the other values that a chart can ignore.
  test("a chart that doesn't mount user.yaml is refused", async () => {
    const namespace = "no-mount";
    const chart = await chartWith(
      cluster,
      "templates/_helpers.tpl",
      'list "default.yaml" "user.yaml"',
      'list "default.yaml"',
    );
    await install(chart, namespace);

    expect(await refusal(namespace, { chart })).toContain("user.yaml");
  });
}
