import { describe, expect, test } from "vitest";
import { keptReplicas, refuseScalingDown } from "../../src/plan/replicas.ts";
import { liveObject } from "../support/observed.ts";

function deployment(
  component: string,
  replicas: number | undefined,
  name = `my-release-milvus-${component}`,
) {
  return liveObject({
    kind: "Deployment",
    metadata: { name, labels: { component } },
    spec: { ...(replicas !== undefined && { replicas }) },
  });
}

describe("replicas that differ from Helm's record", () => {
  test("a scaled component keeps its live number", () => {
    const kept = keptReplicas([deployment("querynode", 6)], [deployment("querynode", 1)], {});
    expect(kept).toEqual({
      values: { queryNode: { replicas: 6 } },
      notes: [
        "Deployment my-release-milvus-querynode keeps its 6 replicas: Helm's record has 1, queryNode.replicas becomes 6.",
      ],
    });
  });

  test("several components keep theirs", () => {
    const { values } = keptReplicas(
      [deployment("querynode", 6), deployment("proxy", 3), deployment("mixcoord", 0)],
      [deployment("querynode", 1), deployment("proxy", 1), deployment("mixcoord", 1)],
      {},
    );
    expect(values).toEqual({
      queryNode: { replicas: 6 },
      proxy: { replicas: 3 },
      mixCoordinator: { replicas: 0 },
    });
  });

  test("a number in the inputs wins, and the plan says so", () => {
    const kept = keptReplicas([deployment("querynode", 6)], [deployment("querynode", 1)], {
      queryNode: { replicas: 4 },
    });
    expect(kept.values).toEqual({});
    expect(kept.notes).toEqual([
      "Deployment my-release-milvus-querynode goes from 6 to 4 replicas: the inputs set queryNode.replicas.",
    ]);
  });

  test.each([
    ["the same number", deployment("querynode", 2), deployment("querynode", 2)],
    ["a manifest without a number", deployment("querynode", 6), deployment("querynode", undefined)],
    ["a component without a value", deployment("standalone", 2), deployment("standalone", 1)],
  ])("nothing is set for %s", (_, live, recorded) => {
    expect(keptReplicas([live], [recorded], {})).toEqual({ values: {}, notes: [] });
  });

  test("Deployments that share a value keep the larger number", () => {
    const names = ["querynode-a", "querynode-b"];
    const { values } = keptReplicas(
      names.map((name, index) => deployment("querynode", 2 + index, name)),
      names.map((name) => deployment("querynode", 1, name)),
      {},
    );
    expect(values).toEqual({ queryNode: { replicas: 3 } });
  });

  test("an input that takes the number out of the manifest is refused", () => {
    const act = () =>
      keptReplicas([deployment("querynode", 6)], [deployment("querynode", 1)], {
        queryNode: { replicas: -1 },
      });
    expect(act).toThrow(/queryNode\.replicas: -1, but Deployment my-release-milvus-querynode has 6 replicas/);
  });
});

describe("an upgrade that would take pods away", () => {
  test("is refused", () => {
    const act = () => refuseScalingDown([deployment("standalone", 3)], [deployment("standalone", 1)], {});
    expect(act).toThrow(/would scale Deployment default\/my-release-milvus-standalone down/);
  });

  test.each([
    ["the number stays", deployment("proxy", 3), {}],
    ["the chart renders no number", deployment("proxy", undefined), {}],
    ["the inputs ask for it", deployment("proxy", 1), { proxy: { replicas: 1 } }],
  ])("passes when %s", (_, wanted, requested) => {
    expect(() => refuseScalingDown([deployment("proxy", 3)], [wanted], requested)).not.toThrow();
  });
});
