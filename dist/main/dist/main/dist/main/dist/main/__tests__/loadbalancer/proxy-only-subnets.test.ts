import { describe, expect, test } from "vitest";
import { problemOfSubnets } from "../../src/loadbalancer/proxy-only-subnets.ts";

describe("problemOfSubnets", () => {
  const NETWORK = "projects/host-project/global/networks/shared";

  test("accepts a network with a proxy-only subnet", () => {
    expect(problemOfSubnets(["proxy-only"], "europe-west1", NETWORK)).toBeUndefined();
  });

  test("names a network without one, and the command that creates one", () => {
    expect(problemOfSubnets([], "europe-west1", NETWORK)?.message.split("\n")).toEqual([
      "The network shared has no proxy-only subnet in europe-west1, which an internal load balancer needs; nothing was changed.",
      `Why: no subnet of ${NETWORK} in europe-west1 has the purpose REGIONAL_MANAGED_PROXY and the role ACTIVE.`,
      "What to do: have a network administrator create one: gcloud compute networks subnets create proxy-only --purpose=REGIONAL_MANAGED_PROXY --role=ACTIVE --region=europe-west1 --network=shared --range=<a free range, /23 is advised>",
    ]);
  });
});
