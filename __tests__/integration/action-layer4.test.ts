import { expect, test } from "vitest";
import { parseManifest } from "../../src/helm/manifest.ts";
import { HELM, useCluster } from "./support/cluster.ts";
import { DATA_NODE, QUERY_NODE, SERVICE } from "./support/names.ts";

const cluster = useCluster();

const COMPONENTS = { cluster: { enabled: true } };

/** The lines of the step that removes the layer-4 load balancer. */
function removalIn(lines: readonly string[]): string[] {
  const begun = lines.indexOf("::group::Remove the layer-4 load balancer");
  expect(begun, lines.join("\n")).toBeGreaterThan(0);
  return lines.slice(begun);
}

test("a chart that renders a new token each time restarts etcd once: the upgrade that removes layer 4 changes the Service only", async () => {
  const namespace = "token-etcd";
  const etcd = { enabled: true, replicaCount: 1, auth: { token: { enabled: true } } };
  await cluster.installSmall(namespace, { etcd });
  const result = await cluster.deploy(namespace, { keep_layer4: "true" });
  expect(result.outputs).toMatchObject({ changed: "true", release_revision: "3" });
  expect(removalIn(result.lines)).toContain("Helm replaced no pods.");

  // What Helm has recorded is what is in the cluster.
  const manifest = await cluster.helm("get", "manifest", "my-release", "-n", namespace);
  const recorded = [...parseManifest(manifest).values()];
  const { data } = await cluster.get(namespace, "Secret", "my-release-etcd-jwt-token");
  expect(recorded.find(({ kind }) => kind === "Secret")?.data).toEqual(data);
  const { spec } = await cluster.get(namespace, "Service", SERVICE);
  expect(spec).toMatchObject({ type: "ClusterIP" });
  expect(await cluster.names(namespace, "ControllerRevision")).toHaveLength(2);
});

// Helm has no part in it: once is enough.
if (HELM === "helm4") {
  test("what others change between plan and removal: numbers of pods stay, edits are listed", async () => {
    const namespace = "scaled-later";
    await cluster.installSmall(namespace, COMPONENTS);
    await cluster.setTime("addressDelayMs", 600_000);
    const step = await cluster.start(namespace, { keep_layer4: "true" });
    await step.line(/^::group::Wait for the address/);
    await cluster.kubectl("scale", `deployment/${QUERY_NODE}`, "-n", namespace, "--replicas=3");
    await cluster.kubectl("set", "image", `deployment/${DATA_NODE}`, "-n", namespace, "*=example.com/mine:1");
    await cluster.setTime("addressDelayMs", 40);
    const { errors, lines, outputs } = await step.ended;
    expect(errors, lines.join("\n")).toEqual([]);

    const kept = `Deployment ${QUERY_NODE} keeps its 3 replicas: Helm's record has 1, queryNode.replicas becomes 3.`;
    expect(lines).toContain(kept);
    expect(removalIn(lines)).toContain("Helm replaced no pods.");
    const { spec } = await cluster.get(namespace, "Deployment", QUERY_NODE);
    expect(spec).toMatchObject({ replicas: 3 });
    expect(await cluster.values(namespace)).toMatchObject({ queryNode: { replicas: 3 } });
    expect(lines).toContainEqual(
      expect.stringContaining(
        `::warning title=Milvus on GKE::The upgrade sets back what was changed by hand: Deployment ${DATA_NODE}`,
      ),
    );
    const { consequences, edits } = JSON.parse(outputs.plan ?? "{}");
    expect(consequences).toContain(kept);
    expect(edits).toEqual([expect.objectContaining({ name: DATA_NODE, before: "example.com/mine:1" })]);
  });
}
