import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { changeZoneRecords } from "../../local-gke/clients/zone-records.ts";
import { CHART, useCluster } from "./support/cluster.ts";
import { documentedInputs } from "./support/documented.ts";
import type { Inputs } from "./support/job.ts";
import { expectSuccess, warningsOf } from "./support/results.ts";
import { handshake } from "./support/tls.ts";

const DOCUMENTED = [...documentedInputs("addresses-and-dns.md")];

const cluster = useCluster();
beforeAll(async () => {
  await cluster.installSmall("default");
  await cluster.installLayer7("internal");
  await cluster.control("PUT", "dns-zones/my-zone", { dnsName: "milvus.io" });
  const dnsName = "internal.example.com";
  await cluster.control("PUT", "dns-zones/my-private-zone", { dnsName, visibility: "private" });
});
// The next test file can then have the cluster.
afterAll(() => cluster.helm("uninstall", "my-release", "-n", "default"));

/** The teardown waits for the record's TTL. A user lowers it the day before. */
async function lowerTtl(): Promise<void> {
  const [record] = await cluster.recordsAt("my-release.milvus.io");
  const set = { name: "my-release.milvus.io.", type: "A", rrdatas: record?.values ?? [] };
  await changeZoneRecords(cluster.gke, "my-zone", {
    deletions: [{ ...set, ttl: record?.ttl ?? 0 }],
    additions: [{ ...set, ttl: 1 }],
  });
}

describe("the workflows of docs/addresses-and-dns.md, one after the other", () => {
  const run = async (inputs: Inputs) => {
    const local = { chart: CHART, milvus_token: "root:Milvus", gcloud_version: "none" };
    return expectSuccess(await (await cluster.job()).main({ ...inputs, ...local }));
  };

  test.each(DOCUMENTED)("%s", async (_, inputs) => {
    if (inputs.mode === "teardown") await lowerTtl();
    const result = await run(inputs);
    if (inputs.mode === "teardown") return;
    const { address = "", host = "" } = result.outputs;
    const state = Object(await cluster.control("GET", "state"));
    const isInternal = inputs.load_balancer === "internal";
    const ofTheRegion = {
      region: "us-central1",
      addressType: "INTERNAL",
      purpose: "SHARED_LOADBALANCER_VIP",
    };
    expect(state.staticAddresses).toContainEqual(
      expect.objectContaining({ name: inputs.static_ip_name, address, ...(isInternal && ofTheRegion) }),
    );
    expect(state.loadBalancers).toContainEqual(expect.objectContaining({ address }));
    // The record of a private zone is kept too.
    if (isInternal) expect((await run(inputs)).outputs).toMatchObject({ address, changed: "false" });
    if (inputs.certificate === "google-managed") {
      // Nobody helps: the record is there before Google looks for it.
      expect(result.outputs).toMatchObject({ certificate_status: "Active", changed: "true" });
      expect(result.lines).toContain("::group::Call Milvus through the load balancer");
      expect(warningsOf(result)).toEqual([]);
      const [presented] = await handshake(address, host);
      expect(presented?.checkHost(host)).toBe(host);
      expect(presented?.issuer).toContain("local-gke public authority");
    }
  });

  test("the last one has taken away what the first ones made", async () => {
    expect(DOCUMENTED.at(-1)?.[1].mode).toBe("teardown");
    const state = Object(await cluster.control("GET", "state"));
    expect(state.staticAddresses).toEqual([expect.objectContaining({ name: "my-internal-address" })]);
    expect(state.loadBalancers).toEqual([expect.objectContaining({ ingress: "internal/my-release-milvus" })]);
    const service = ["service", "my-release-milvus", "-n", "default"];
    const layer4 = await cluster.kubectl(
      "get",
      ...service,
      "-o",
      "jsonpath={.status.loadBalancer.ingress[0].ip}",
    );
    expect(await cluster.recordsAt("my-release.milvus.io")).toMatchObject([{ values: [layer4] }]);
    expect(await cluster.values("default")).toMatchObject({ service: { type: "LoadBalancer" } });
  });
});
