import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HelmName, inputsFor, TestCluster } from "./support/cluster.ts";
import type { StepResult } from "./support/job.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());

const QUERY_NODE = "my-release-milvus-querynode";
const PROXY = "my-release-milvus-proxy";
/** A release with several components, each of one pod. */
const COMPONENTS = { cluster: { enabled: true }, etcd: { enabled: false } };

async function deploy(
  namespace: string,
  helm: HelmName,
  inputs: Record<string, string> = {},
): Promise<StepResult> {
  const job = await cluster.job({ helm });
  return job.main({ ...inputsFor(namespace), wait_for: "none", ...inputs });
}

async function scale(namespace: string, name: string, replicas: number): Promise<void> {
  await cluster.kubectl("scale", `deployment/${name}`, "-n", namespace, `--replicas=${replicas}`);
}

async function replicasOf(namespace: string, name: string): Promise<number> {
  const path = "jsonpath={.spec.replicas}";
  return Number(await cluster.kubectl("get", "deployment", name, "-n", namespace, "-o", path));
}

function planOf(result: StepResult): { consequences: string[]; edits: { path: string; after: string }[] } {
  return JSON.parse(result.outputs.plan ?? "{}");
}

describe.each<HelmName>(["helm3", "helm4"])("%s: a release that was scaled outside Helm", (helm) => {
  test("keeps its pods, says so, and isn't upgraded because of them later", async () => {
    const namespace = `scaled-${helm}`;
    await cluster.installSmall(namespace, COMPONENTS, helm);
    await scale(namespace, QUERY_NODE, 6);
    await scale(namespace, PROXY, 3);

    const result = await deploy(namespace, helm);
    expect(result.errors, result.lines.join("\n")).toEqual([]);
    expect(await replicasOf(namespace, QUERY_NODE)).toBe(6);
    expect(await replicasOf(namespace, PROXY)).toBe(3);
    const kept = `Deployment ${QUERY_NODE} keeps its 6 replicas: Helm's record has 1, queryNode.replicas becomes 6.`;
    expect(planOf(result).consequences).toContain(kept);
    expect(result.lines).toContain(kept);

    await scale(namespace, QUERY_NODE, 8);
    const again = await deploy(namespace, helm);
    expect(again.errors, again.lines.join("\n")).toEqual([]);
    expect(again.outputs).toMatchObject({
      changed: "false",
      release_revision: result.outputs.release_revision,
    });
    expect(await replicasOf(namespace, QUERY_NODE)).toBe(8);
  });

  test("gets the number that the inputs ask for, which the plan says", async () => {
    const namespace = `asked-${helm}`;
    await cluster.installSmall(namespace, COMPONENTS, helm);
    await scale(namespace, QUERY_NODE, 6);

    const result = await deploy(namespace, helm, { values: "queryNode: {replicas: 4}" });
    expect(result.errors, result.lines.join("\n")).toEqual([]);
    expect(await replicasOf(namespace, QUERY_NODE)).toBe(4);
    expect(planOf(result).consequences).toContain(
      `Deployment ${QUERY_NODE} goes from 6 to 4 replicas: the inputs set queryNode.replicas.`,
    );
  });
});

describe.each<HelmName>(["helm3", "helm4"])("%s: a release that was edited outside Helm", (helm) => {
  test("is set back, and the plan lists each field", async () => {
    const namespace = `edited-${helm}`;
    await cluster.installSmall(namespace, COMPONENTS, helm);
    const deployment = `deployment/${QUERY_NODE}`;
    await cluster.kubectl("set", "image", deployment, "-n", namespace, "*=example.com/mine:1");
    await cluster.kubectl("set", "env", deployment, "-n", namespace, "MINE=1");

    const plan = await deploy(namespace, helm, { mode: "plan" });
    expect(plan.errors, plan.lines.join("\n")).toEqual([]);
    const result = await deploy(namespace, helm);
    expect(result.errors, result.lines.join("\n")).toEqual([]);
    const { edits } = planOf(result);
    expect(edits).toEqual([
      expect.objectContaining({
        name: QUERY_NODE,
        path: expect.stringMatching(/^spec\.template\.spec\.containers\[.*\]\.image$/),
        before: "example.com/mine:1",
      }),
    ]);
    expect(planOf(plan).edits).toEqual(edits);
    expect(result.lines.join("\n")).toMatch(
      /^::warning title=Milvus on GKE::The upgrade sets back what was changed by hand: Deployment my-release-milvus-querynode/m,
    );
  });
});

test("annotations that mean the same need no upgrade", async () => {
  const namespace = "json-spacing";
  await cluster.installSmall(namespace);
  const first = await deploy(namespace, "helm4");
  expect(first.errors, first.lines.join("\n")).toEqual([]);
  for (const neg of ['{"ingress": true}', '{"exposed_ports":{"19530":{}},"ingress":true}']) {
    const annotation = `cloud.google.com/neg=${neg}`;
    await cluster.kubectl(
      "annotate",
      "service/my-release-milvus",
      "-n",
      namespace,
      annotation,
      "--overwrite",
    );
    const again = await deploy(namespace, "helm4");
    expect(again.errors, again.lines.join("\n")).toEqual([]);
    expect(again.outputs).toMatchObject({
      changed: "false",
      release_revision: first.outputs.release_revision,
    });
  }
});
