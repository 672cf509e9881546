import { describe, expect, test } from "vitest";
import { HELM, useCluster } from "./support/cluster.ts";
import { PROXY, QUERY_NODE } from "./support/names.ts";
import { planOf } from "./support/results.ts";

const cluster = useCluster(() => ({ wait_for: "none" }));

/** Values of a release with several components, each of one pod. */
const COMPONENTS = { cluster: { enabled: true } };

async function scale(namespace: string, name: string, replicas: number): Promise<void> {
  await cluster.kubectl("scale", `deployment/${name}`, "-n", namespace, `--replicas=${replicas}`);
}

async function replicasOf(namespace: string, name: string): Promise<number> {
  const path = "jsonpath={.spec.replicas}";
  return Number(await cluster.kubectl("get", "deployment", name, "-n", namespace, "-o", path));
}

describe("a release that was scaled outside Helm", () => {
  test("keeps its pods, says so, and isn't upgraded because of them later", async () => {
    const namespace = "live-scaled";
    await cluster.installSmall(namespace, COMPONENTS);
    await scale(namespace, QUERY_NODE, 6);
    await scale(namespace, PROXY, 3);

    const result = await cluster.deploy(namespace);
    expect(await replicasOf(namespace, QUERY_NODE)).toBe(6);
    expect(await replicasOf(namespace, PROXY)).toBe(3);
    const kept = `Deployment ${QUERY_NODE} keeps its 6 replicas: Helm's record has 1, queryNode.replicas becomes 6.`;
    expect(planOf(result).consequences).toContain(kept);
    expect(result.lines).toContain(kept);

    await scale(namespace, QUERY_NODE, 8);
    const again = await cluster.expectUnchanged(namespace);
    expect(again.outputs.release_revision).toBe(result.outputs.release_revision);
    expect(await replicasOf(namespace, QUERY_NODE)).toBe(8);
  });

  test("gets the number that the inputs ask for, which the plan says", async () => {
    const namespace = "live-asked";
    await cluster.installSmall(namespace, COMPONENTS);
    await scale(namespace, QUERY_NODE, 6);

    const result = await cluster.deploy(namespace, { values: "queryNode: {replicas: 4}" });
    expect(await replicasOf(namespace, QUERY_NODE)).toBe(4);
    expect(planOf(result).consequences).toContain(
      `Deployment ${QUERY_NODE} goes from 6 to 4 replicas: the inputs set queryNode.replicas.`,
    );
  });
});

describe("a release that was edited outside Helm", () => {
  test("is set back, and the plan lists each field", async () => {
    const namespace = "live-edited";
    await cluster.installSmall(namespace, COMPONENTS);
    const deployment = `deployment/${QUERY_NODE}`;
    await cluster.kubectl("set", "image", deployment, "-n", namespace, "*=example.com/mine:1");
    await cluster.kubectl("set", "env", deployment, "-n", namespace, "MINE=1");

    const plan = await cluster.plan(namespace);
    const result = await cluster.deploy(namespace);
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

// Helm has no part in it: once is enough.
if (HELM === "helm4") {
  test("annotations that mean the same need no upgrade", async () => {
    const namespace = "json-spacing";
    await cluster.installSmall(namespace);
    const first = await cluster.deploy(namespace);
    for (const neg of ['{"ingress": true}', '{"exposed_ports":{"19530":{}},"ingress":true}']) {
      const annotation = [`cloud.google.com/neg=${neg}`, "--overwrite"];
      await cluster.kubectl("annotate", "service/my-release-milvus", "-n", namespace, ...annotation);
      const again = await cluster.expectUnchanged(namespace);
      expect(again.outputs.release_revision).toBe(first.outputs.release_revision);
    }
  });
}
