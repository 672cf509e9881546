import { cp, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { CHART, useCluster } from "./support/cluster.ts";
import { SERVICE } from "./support/names.ts";
import { expectSuccess } from "./support/results.ts";

const cluster = useCluster(() => ({ wait_for: "none" }));

describe.concurrent("Milvus that something else deploys", () => {
  test("by Flux: the run says what belongs into the HelmRelease, and makes the load balancer once it is there", async () => {
    const namespace = "flux";
    await cluster.installSmall(namespace);
    const labels = ["helm.toolkit.fluxcd.io/name=milvus", "helm.toolkit.fluxcd.io/namespace=flux-system"];
    await cluster.kubectl("label", "service,deployment", "--all", "-n", namespace, ...labels);

    const { error, outputs } = await cluster.refusal(namespace);
    expect(error).toContain(
      "Release my-release in namespace flux is deployed by Flux (HelmRelease flux-system/milvus); nothing was changed.",
    );
    const overlay = outputs.values_overlay ?? "";
    expect(error).toContain(overlay.trim());
    expect(parse(overlay)).toMatchObject({
      service: { type: "ClusterIP", annotations: { "cloud.google.com/neg": '{"ingress":true}' } },
      extraConfigFiles: { "user.yaml": expect.stringMatching(/authorizationEnabled: true.*tlsMode: 1/s) },
    });

    // What Flux does with the values.
    const flags = ["-n", namespace, "--reset-then-reuse-values", "--values", "-"];
    await cluster.helmWith(overlay, "upgrade", "my-release", CHART, ...flags);
    const result = await cluster.deploy(namespace);
    expect(result.outputs).toMatchObject({ changed: "true", release_revision: "2" });
    expect(await cluster.revisions(namespace)).toHaveLength(2);
    await cluster.expectUnchanged(namespace);
  });

  test("by Argo CD, whether or not a release may be installed", async () => {
    const namespace = "argo";
    await cluster.kubectl("create", "namespace", namespace);
    await cluster.apply({
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name: SERVICE,
        namespace,
        labels: { "app.kubernetes.io/instance": "my-release", component: "standalone" },
        annotations: { "argocd.argoproj.io/tracking-id": `vectors:/Service:${namespace}/${SERVICE}` },
      },
      spec: { ports: [{ port: 19530 }] },
    });
    for (const install of ["false", "true"]) {
      const { error } = await cluster.refusal(namespace, { install });
      expect(error).toContain("is deployed by Argo CD (Application vectors), not as a Helm release");
      expect(error).toContain("into the Helm values of that Application vectors");
      expect(error).toContain("cloud.google.com/neg: '{\"ingress\":true}'");
    }
  });

  test("by something that left no record", async () => {
    const namespace = "rendered";
    await cluster.kubectl("create", "namespace", namespace);
    const labels = { "app.kubernetes.io/instance": "my-release", component: "standalone" };
    const spec = { ports: [{ port: 19530 }] };
    await cluster.apply({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: SERVICE, namespace, labels },
      spec,
    });
    const { error } = await cluster.refusal(namespace);
    expect(error).toContain("Milvus my-release in namespace rendered is not a Helm release");
    expect(error).toContain("as Argo CD and helm template do");
  });

  test("by Milvus Operator", async () => {
    const namespace = "operator";
    await cluster.kubectl("create", "namespace", namespace);
    await cluster.apply({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "milvuses.milvus.io" },
      spec: {
        group: "milvus.io",
        scope: "Namespaced",
        names: { kind: "Milvus", plural: "milvuses" },
        versions: [
          {
            name: "v1beta1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
          },
        ],
      },
    });
    try {
      const definition = "customresourcedefinition/milvuses.milvus.io";
      await cluster.kubectl("wait", definition, "--for=condition=Established", "--timeout=30s");
      await cluster.apply({
        apiVersion: "milvus.io/v1beta1",
        kind: "Milvus",
        metadata: { name: "my-release", namespace },
      });
      const { error } = await cluster.refusal(namespace);
      expect(error).toContain("is deployed by Milvus Operator (Milvus operator/my-release)");
      expect(error).toContain("serviceType: ClusterIP");
    } finally {
      await cluster.kubectl("delete", "customresourcedefinition", "milvuses.milvus.io");
    }
  });

  test("as a subchart", async () => {
    const namespace = "umbrella";
    const folder = join(await mkdtemp(join(cluster.gke.directory, "up-")), "up");
    await mkdir(join(folder, "templates"), { recursive: true });
    await cp(CHART, join(folder, "charts/milvus"), { recursive: true });
    const { version } = parse(await readFile(join(CHART, "Chart.yaml"), "utf8"));
    const dependencies = [{ name: "milvus", version, repository: "" }];
    const chart = { apiVersion: "v2", name: "up", version: "1.0.0", dependencies };
    await writeFile(join(folder, "Chart.yaml"), stringify(chart));
    const values = {
      service: { type: "none" },
      milvus: { cluster: { enabled: false }, etcd: { enabled: false } },
    };
    const flags = ["-n", namespace, "--create-namespace", "--values", "-"];
    await cluster.helmWith(stringify(values), "install", "my-release", folder, ...flags);

    for (const inputs of [{}, { chart: folder }]) {
      const { error } = await cluster.refusal(namespace, inputs);
      expect(error).toContain("Milvus is a subchart of up in release my-release");
      expect(error).toMatch(/\nmilvus:\n {2}service:\n {4}type: ClusterIP\n/);
    }
    const { error } = await cluster.refusal(namespace, { release: "milvus" });
    expect(error).toContain("There is no Helm release milvus in namespace umbrella");
    expect(error).toContain("Milvus is there in release my-release.");
  });
});

test.concurrent("what another pipeline's upgrade drops is set again, and the run says what that upgrade must carry", async () => {
  const namespace = "pipeline";
  const original = stringify({ cluster: { enabled: false }, etcd: { enabled: false } });
  await cluster.installSmall(namespace);
  const upgrade = (...more: string[]) =>
    cluster.helmWith(original, "upgrade", "my-release", CHART, "-n", namespace, "--values", "-", ...more);
  const inputs = { allow_anonymous: "true" };

  const job = await cluster.job();
  const first = expectSuccess(await job.main(cluster.inputs(namespace, inputs)));
  const { values_overlay: overlay = "", values_overlay_file: file = "" } = first.outputs;
  expect(first.lines).toContainEqual(
    expect.stringMatching(
      /^An upgrade of release my-release from elsewhere undoes this one, unless .*values-overlay\.yaml/,
    ),
  );
  expect(await readFile(file, "utf8")).toBe(overlay);

  await upgrade();
  const mended = await cluster.deploy(namespace, inputs);
  const says = "Revision 3 of release my-release has dropped what this action had set in revision 2";
  expect(mended.lines).toContainEqual(expect.stringContaining(`::warning title=Milvus on GKE::${says}`));
  expect(mended.summary).toContain(says);
  expect(await cluster.values(namespace)).toMatchObject(parse(mended.outputs.values_overlay ?? ""));

  await writeFile(file, mended.outputs.values_overlay ?? "");
  await upgrade("--values", file);
  const kept = await cluster.expectUnchanged(namespace, inputs);
  expect(kept.lines.join("\n")).not.toContain("has dropped");
  await job.post();
  await expect(readFile(file)).rejects.toThrow();
});
