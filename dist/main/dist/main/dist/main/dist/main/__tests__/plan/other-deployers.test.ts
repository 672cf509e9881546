import { describe, expect, test } from "vitest";
import type { Deployer } from "../../src/kubernetes/deployers.ts";
import { refuseUndone } from "../../src/plan/other-deployers.ts";
import { planRelease } from "../../src/plan/release.ts";
import { observed, STARTING, settings, storedRelease } from "../support/observed.ts";

const FLUX: Deployer = { tool: "Flux", object: "HelmRelease flux-system/milvus" };
const seen = (deployer: Deployer | undefined) => ({ ...observed(STARTING), deployer });

describe("a release that another tool deploys", () => {
  test("is not upgraded: the error says where the tool has its values", () => {
    const refuse = () => refuseUndone(seen(FLUX), ["value service.type changes"], "service: {}");
    expect(refuse).toThrow(
      "Release my-release in namespace default is deployed by Flux (HelmRelease flux-system/milvus); nothing was changed.",
    );
    expect(refuse).toThrow("value service.type changes");
    expect(refuse).toThrow("into spec.values of that HelmRelease flux-system/milvus");
    expect(refuse).toThrow(/\nservice: \{\}$/);
  });

  test("is taken as it is when it needs no upgrade", () => {
    expect(() => refuseUndone(seen(FLUX), [], "")).not.toThrow();
    expect(() => refuseUndone(seen(undefined), ["value service.type changes"], "")).not.toThrow();
  });

  test("keeps its layer-4 load balancer, in the values for the tool too", () => {
    const plan = planRelease(settings(), seen(FLUX));
    expect(plan.switchOver).toBeUndefined();
    expect(plan.overlay).toContain("type: LoadBalancer");
    expect(plan.notes).toContainEqual(
      expect.stringContaining("set service.type: ClusterIP in that HelmRelease flux-system/milvus"),
    );
    expect(planRelease(settings(), seen(undefined)).overlay).toContain("type: ClusterIP");
  });
});

describe("Milvus as a subchart", () => {
  const dependencies = [{ name: "milvus", alias: "vectors", enabled: true }];
  const chart = storedRelease().chart;
  const base = storedRelease({
    chart: { ...chart, metadata: { ...chart.metadata, name: "up", dependencies } },
  });
  const umbrella = observed(STARTING, { chart: "up", chartVersion: "1.0.0", base });

  test("is named, with its values where the umbrella chart has them", () => {
    expect(() => planRelease(settings({ chart: "./up" }), umbrella)).toThrow(
      /^Milvus is a subchart of up in release my-release in namespace default; nothing was changed\..*below vectors\..*\nvectors:\n {2}service:/s,
    );
  });

  test("isn't seen in a chart without it", () => {
    expect(() => planRelease(settings(), observed(STARTING, { chart: "up" }))).toThrow("is of the chart up");
  });
});
