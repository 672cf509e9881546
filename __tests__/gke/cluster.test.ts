import { describe, expect, test, vi } from "vitest";
import type { Fault } from "../../local-gke/cloud.ts";
import { type EndpointChoice, lookUpCluster } from "../../src/gke/cluster.ts";
import { googleCredentials } from "../../src/gke/credentials.ts";
import { baseUrl } from "../../src/gke/endpoints.ts";
import { CLUSTER, type Google, startGoogle } from "./google.ts";

const CA = Buffer.from("-----BEGIN CERTIFICATE-----").toString("base64");
const REQUEST = "GET /container/v1/projects/my-project/locations/us-central1/clusters/my-cluster";

async function lookUp(google: Google, endpoint: EndpointChoice = "auto", cluster = CLUSTER) {
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const credentials = await googleCredentials({}, google.environment);
  const token = await credentials.accessToken();
  vi.restoreAllMocks();
  google.requests.length = 0;
  return await lookUpCluster(cluster, endpoint, baseUrl("container", google.environment), token.value);
}

test("a cluster is looked up with one request", async () => {
  const google = await startGoogle();
  expect(await lookUp(google)).toEqual({
    ...CLUSTER,
    server: "https://192.0.2.1",
    endpoint: "public",
    caCertificate: CA,
    version: "1.35.4-gke.100",
  });
  expect(google.requests).toEqual([REQUEST]);
});

test.each(["RUNNING", "RECONCILING", "DEGRADED"])("a cluster that is %s will do", async (status) => {
  const google = await startGoogle({ members: { status } });
  expect(await lookUp(google)).toMatchObject(CLUSTER);
});

describe("endpoints", () => {
  const dnsEndpointConfig = { endpoint: "gke-x.us-central1.gke.goog", allowExternalTraffic: true };
  const ipEndpointsConfig = {
    enabled: true,
    enablePublicEndpoint: true,
    publicEndpoint: "192.0.2.1",
    privateEndpoint: "10.1.2.3",
  };
  const everything = {
    privateClusterConfig: { privateEndpoint: "10.1.2.3", publicEndpoint: "192.0.2.1" },
    controlPlaneEndpointsConfig: { dnsEndpointConfig, ipEndpointsConfig },
  };
  const privateOnly = {
    endpoint: "10.1.2.3",
    privateClusterConfig: { enablePrivateEndpoint: true, privateEndpoint: "10.1.2.3" },
    controlPlaneEndpointsConfig: {},
  };
  const privateAndDns = {
    endpoint: "10.1.2.3",
    privateClusterConfig: {},
    controlPlaneEndpointsConfig: {
      dnsEndpointConfig,
      ipEndpointsConfig: { ...ipEndpointsConfig, enablePublicEndpoint: false },
    },
  };
  const dnsOnly = {
    endpoint: undefined,
    masterAuth: {},
    controlPlaneEndpointsConfig: { dnsEndpointConfig, ipEndpointsConfig: { enabled: false } },
  };
  const rows: [string, Record<string, unknown>, EndpointChoice, string, string | undefined][] = [
    ["everything", everything, "auto", "https://192.0.2.1", CA],
    ["everything", everything, "public", "https://192.0.2.1", CA],
    ["everything", everything, "private", "https://10.1.2.3", CA],
    ["everything", everything, "dns", "https://gke-x.us-central1.gke.goog", undefined],
    ["a private one only", privateOnly, "auto", "https://10.1.2.3", CA],
    ["private and DNS", privateAndDns, "auto", "https://gke-x.us-central1.gke.goog", undefined],
    ["private and DNS", privateAndDns, "private", "https://10.1.2.3", CA],
    ["DNS only", dnsOnly, "auto", "https://gke-x.us-central1.gke.goog", undefined],
  ];
  test.each(rows)("of a cluster with %s (%#), %s", async (_, members, wanted, server, caCertificate) => {
    const google = await startGoogle({ members });
    expect(await lookUp(google, wanted)).toMatchObject({ server, caCertificate });
  });

  const refused: [string, Record<string, unknown>, EndpointChoice, RegExp][] = [
    ["no public one", privateOnly, "public", /has no public endpoint.*it offers: private.*or to auto/s],
    ["no DNS-based one", privateOnly, "dns", /has no dns endpoint.*--enable-dns-access/s],
    ["DNS from inside only", {}, "dns", /has no dns endpoint.*it offers: public, private/s],
    ["no authority", { masterAuth: {} }, "public", /no certificate authority.*clusterCaCertificate/s],
  ];
  test.each(refused)("%s", async (_, members, wanted, message) => {
    const google = await startGoogle({ members });
    await expect(lookUp(google, wanted)).rejects.toThrow(message);
  });
});

describe("a cluster that won't do", () => {
  const rows: [string, Record<string, unknown>, RegExp][] = [
    [
      "being made",
      { status: "PROVISIONING", statusMessage: "creating nodes" },
      /cluster my-cluster in us-central1 of the project my-project is not running: .*PROVISIONING.*creating nodes/s,
    ],
    ["being deleted", { status: "STOPPING" }, /is STOPPING/],
    ["broken", { status: "ERROR" }, /is ERROR/],
    [
      "without the add-on",
      { addonsConfig: { httpLoadBalancing: { disabled: true } } },
      /HTTP load balancing.* is off.*gcloud container clusters update my-cluster --location=us-central1 --project=my-project --update-addons=HttpLoadBalancing=ENABLED/s,
    ],
    ["routes-based", { ipAllocationPolicy: { useRoutes: true } }, /not VPC-native.*useIpAliases/s],
    ["no cluster at all", { status: undefined }, /is not a cluster/],
  ];
  test.each(rows)("%s", async (_, members, message) => {
    const google = await startGoogle({ members });
    await expect(lookUp(google)).rejects.toThrow(message);
  });
});

describe("a cluster that can't be read", () => {
  const rows: [string, Fault[], Partial<typeof CLUSTER>, RegExp, number][] = [
    [
      "another name",
      [],
      { name: "my-clutser" },
      /no cluster my-clutser in us-central1 of the project my-project.*Not found: projects.*The project has: my-cluster \(us-central1\)\./s,
      2,
    ],
    ["another location", [], { location: "us-east1" }, /in us-east1.*my-cluster \(us-central1\)/s, 2],
    [
      "another project",
      [],
      { projectId: "not-mine" },
      /may not read the cluster my-cluster.*container\.clusters\.get.*roles\/container\.developer in the project not-mine/s,
      1,
    ],
    ["not allowed", ["refuse-clusters-get"], {}, /may not read.*Required "container\.clusters\.get"/s, 1],
    [
      "API disabled",
      ["disabled-container-api"],
      {},
      /API is not enabled in the project my-project.*has not been used.*gcloud services enable container\.googleapis\.com --project=my-project/s,
      1,
    ],
  ];
  test.each(rows)("%s", async (_, faults, change, message, requests) => {
    const google = await startGoogle({ faults });
    await expect(lookUp(google, "auto", { ...CLUSTER, ...change })).rejects.toThrow(message);
    expect(google.requests).toHaveLength(requests);
  });

  test("a token that isn't accepted", async () => {
    const google = await startGoogle();
    await expect(
      lookUpCluster(CLUSTER, "auto", baseUrl("container", google.environment), "made-up"),
    ).rejects.toThrow(/doesn't accept the credentials.*UNAUTHENTICATED/s);
  });
});

test("a 503 and a lost connection are tried again", async () => {
  const google = await startGoogle({ faults: ["unavailable-container-api"] });
  expect(await lookUp(google)).toMatchObject(CLUSTER);
  expect(google.requests).toEqual([REQUEST, REQUEST, REQUEST]);
});
