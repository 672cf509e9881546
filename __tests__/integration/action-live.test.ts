import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { PROXY, QUERY_NODE } from "./support/names.ts";
import { planOf } from "./support/results.ts";

const cluster = useCluster(() => ({ wait_for: "none" }));
const NAMESPACE = "live";

async function scale(name: string, replicas: number): Promise<void> {
  await cluster.kubectl("scale", `deployment/${name}`, "-n", NAMESPACE, `--replicas=${replicas}`);
}

async function replicasOf(name: string): Promise<number> {
  const { spec } = await cluster.get(NAMESPACE, "Deployment", name);
  return Object(spec).replicas;
}

test("a release that was changed outside Helm: pods are kept until the inputs say otherwise, edits are set back", async () => {
  // Several components, each of one pod.
  await cluster.installSmall(NAMESPACE, { cluster: { enabled: true } });
  await scale(QUERY_NODE, 6);
  await scale(PROXY, 3);
  const deployment = ["-n", NAMESPACE, `deployment/${QUERY_NODE}`];
  await cluster.kubectl("set", "image", ...deployment, "*=example.com/mine:1");
  await cluster.kubectl("set", "env", ...deployment, "MINE=1");

  // The plan lists each field that was edited, and each number of pods that stays.
  const plan = await cluster.plan(NAMESPACE);
  const result = await cluster.deploy(NAMESPACE);
  const { edits, consequences } = planOf(result);
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
  const kept = `Deployment ${QUERY_NODE} keeps its 6 replicas: Helm's record has 1, queryNode.replicas becomes 6.`;
  expect(consequences).toContain(kept);
  expect(result.lines).toContain(kept);
  expect(await replicasOf(QUERY_NODE)).toBe(6);
  expect(await replicasOf(PROXY)).toBe(3);

  // Neither more pods, nor an annotation that means the same, needs an upgrade.
  await scale(QUERY_NODE, 8);
  const neg = `cloud.google.com/neg={"exposed_ports": {"19530": {}}, "ingress": true}`;
  await cluster.kubectl("annotate", "service/my-release-milvus", "-n", NAMESPACE, neg, "--overwrite");
  const again = await cluster.expectUnchanged(NAMESPACE);
  expect(again.outputs.release_revision).toBe(result.outputs.release_revision);
  expect(await replicasOf(QUERY_NODE)).toBe(8);

  // The inputs win.
  const asked = await cluster.deploy(NAMESPACE, { values: "queryNode: {replicas: 4}" });
  expect(await replicasOf(QUERY_NODE)).toBe(4);
  expect(planOf(asked).consequences).toContain(
    `Deployment ${QUERY_NODE} goes from 8 to 4 replicas: the inputs set queryNode.replicas.`,
  );
});
