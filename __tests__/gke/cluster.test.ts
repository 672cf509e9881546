import { describe, expect, test } from "vitest";
import type { Fault } from "../../local-gke/cloud.ts";
import { type Cluster, type EndpointChoice, lookUpCluster } from "../../src/gke/cluster.ts";
import { gatewayUrl, membershipOf } from "../../src/gke/connect-gateway.ts";
import { unreachableCluster } from "../../src/gke/unreachable-cluster.ts";
import { CLUSTER, type Google, projectOf, startGoogle } from "../support/google.ts";
import { captureLog } from "../support/job-log.ts";

const CA = Buffer.from("-----BEGIN CERTIFICATE-----").toString("base64");
const REQUEST = "GET /container/v1/projects/my-project/locations/us-central1/clusters/my-cluster";

interface Route {
  endpoint: EndpointChoice;
  fleetMembership?: string;
}

captureLog();

async function lookUp(google: Google, route: EndpointChoice | Route = "auto", cluster = CLUSTER) {
  const { accessToken } = await projectOf(google);
  const token = await accessToken();
  google.requests.length = 0;
  return await lookUpCluster(
    cluster,
    typeof route === "string" ? { endpoint: route } : route,
    access(google, token),
  );
}

function access({ environment }: Google, token: string) {
  return { environment, universe: "googleapis.com", token };
}

test("a cluster is looked up with one request", async () => {
  const google = await startGoogle();
  expect(await lookUp(google)).toEqual({
    ...CLUSTER,
    server: "https://192.0.2.1",
    endpoint: "public",
    reason: "the input endpoint is auto",
    caCertificate: CA,
    version: "1.35.4-gke.100",
    authorizedNetworks: false,
    offers: ["public", "private", "connect_gateway"],
    network: "projects/my-project/global/networks/default",
    subnetwork: "projects/my-project/regions/us-central1/subnetworks/default",
  });
  expect(google.requests).toEqual([REQUEST]);
});

test.each(["RUNNING", "RECONCILING", "DEGRADED"])("accepts a cluster that is %s", async (status) => {
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
  const authorizedNetworksAndDns = {
    masterAuthorizedNetworksConfig: { enabled: true },
    controlPlaneEndpointsConfig: { dnsEndpointConfig, ipEndpointsConfig },
  };
  const authorizedNetworks = {
    controlPlaneEndpointsConfig: {
      ipEndpointsConfig: { ...ipEndpointsConfig, authorizedNetworksConfig: { enabled: true } },
    },
  };
  const dnsOnly = {
    endpoint: undefined,
    masterAuth: {},
    controlPlaneEndpointsConfig: { dnsEndpointConfig, ipEndpointsConfig: { enabled: false } },
  };
  const PUBLIC = "https://192.0.2.1";
  const PRIVATE = "https://10.1.2.3";
  const DNS = "https://gke-x.us-central1.gke.goog";
  const asked = /the input endpoint says so/;
  const rows: [string, Record<string, unknown>, EndpointChoice, string, string | undefined, RegExp][] = [
    ["everything", everything, "auto", PUBLIC, CA, /endpoint is auto/],
    ["everything", everything, "public", PUBLIC, CA, asked],
    ["everything", everything, "private", PRIVATE, CA, asked],
    ["everything", everything, "dns", DNS, undefined, asked],
    ["a private one only", privateOnly, "auto", PRIVATE, CA, /no other endpoint that needs no further setup/],
    ["private and DNS", privateAndDns, "auto", DNS, undefined, /has no public endpoint/],
    ["private and DNS", privateAndDns, "private", PRIVATE, CA, asked],
    ["DNS only", dnsOnly, "auto", DNS, undefined, /has no public endpoint/],
    ["authorized networks", authorizedNetworks, "auto", PUBLIC, CA, /endpoint is auto/],
    ["those and DNS", authorizedNetworksAndDns, "auto", DNS, undefined, /authorized networks only/],
    ["those and DNS", authorizedNetworksAndDns, "public", PUBLIC, CA, asked],
  ];
  test.each(rows)(
    "of a cluster with %s (%#), %s",
    async (_, members, wanted, server, caCertificate, reason) => {
      const google = await startGoogle({ members });
      expect(await lookUp(google, wanted)).toMatchObject({
        server,
        caCertificate,
        reason: expect.stringMatching(reason),
      });
    },
  );

  const refused: [string, Record<string, unknown>, EndpointChoice, RegExp][] = [
    [
      "no public one",
      privateOnly,
      "public",
      /has no public endpoint.*it offers: private, connect_gateway.*or to auto/s,
    ],
    ["no DNS-based one", privateOnly, "dns", /has no dns endpoint.*--enable-dns-access/s],
    ["DNS from inside only", {}, "dns", /has no dns endpoint.*it offers: public, private/s],
    [
      "none at all",
      { ...dnsOnly, controlPlaneEndpointsConfig: { ipEndpointsConfig: { enabled: false } }, fleet: {} },
      "auto",
      /no endpoint that can be used.*it offers: none.*--enable-dns-access/s,
    ],
    ["no authority", { masterAuth: {} }, "public", /no certificate authority.*clusterCaCertificate/s],
  ];
  test.each(refused)("%s", async (_, members, wanted, message) => {
    const google = await startGoogle({ members });
    await expect(lookUp(google, wanted)).rejects.toThrow(message);
  });
});

describe("Connect gateway", () => {
  const member = (location: string, name = "my-cluster") =>
    `projects/my-project/locations/${location}/memberships/${name}`;
  const inFleet = (membership: string) => ({
    fleet: { membership: `//gkehub.googleapis.com/${membership}` },
  });
  const GATEWAY =
    /^https:\/\/127\.0\.0\.1:\d+\/v1\/projects\/123456789012\/locations\/([^/]+)\/gkeMemberships\/([^/]+)$/;
  const rows: [string, Record<string, unknown>, string | undefined, string, string][] = [
    ["the cluster's own membership", {}, undefined, "us-central1", "my-cluster"],
    ["its own global one", inFleet(member("global")), undefined, "global", "my-cluster"],
    ["a name beside a global one", inFleet(member("global", "a")), "a", "global", "a"],
    ["a full name", inFleet(member("europe-west9", "b")), member("europe-west9", "b"), "europe-west9", "b"],
    [
      "the name that the gateway itself gives it",
      {},
      "projects/my-project/locations/us-central1/gkeMemberships/my-cluster",
      "us-central1",
      "my-cluster",
    ],
  ];
  test.each(rows)("%s", async (_, members, fleetMembership, location, name) => {
    const google = await startGoogle({ members });
    const cluster = await lookUp(google, {
      endpoint: "connect_gateway",
      ...(fleetMembership && { fleetMembership }),
    });
    expect(cluster.caCertificate).toBeUndefined();
    expect(GATEWAY.exec(cluster.server)?.slice(1)).toEqual([location, name]);
    expect(google.requests).toEqual([
      REQUEST,
      `GET /connectgateway/v1/${member(location, name)}:generateCredentials`,
    ]);
  });

  const refused: [string, Fault[], Record<string, unknown>, string | undefined, RegExp][] = [
    ["in no fleet", [], { fleet: {} }, undefined, /is in no fleet.*--enable-fleet.*fleet_membership/s],
    ["no name of a membership", [], {}, "projects/p/memberships/m", /"projects\/p\/memberships\/m" is not/],
    [
      "no such membership",
      [],
      {},
      "other",
      /no fleet membership projects\/my-project\/locations\/us-central1\/memberships\/other/,
    ],
    [
      "not allowed",
      ["refuse-connect-gateway"],
      {},
      undefined,
      /may not use Connect gateway.*gkehub\.gateway\.generateCredentials.*gatewayEditor/s,
    ],
    [
      "API disabled",
      ["disabled-connect-gateway"],
      {},
      undefined,
      /API is not enabled.*gcloud services enable connectgateway/s,
    ],
  ];
  test.each(refused)("%s", async (_, faults, members, fleetMembership, message) => {
    const google = await startGoogle({ faults, members });
    const route = { endpoint: "connect_gateway" as const, ...(fleetMembership && { fleetMembership }) };
    await expect(lookUp(google, route)).rejects.toThrow(message);
  });

  test.each([
    ["a zonal cluster that is in no fleet", "us-central1-a", member("us-central1", "m")],
    ["a regional one", "us-central1", member("us-central1", "m")],
  ])("a name for %s is looked for in its region", (_, location, expected) => {
    expect(membershipOf("m", undefined, { ...CLUSTER, location })).toBe(expected);
  });

  test.each([
    ["global", {}, "https://connectgateway.googleapis.com/v1"],
    ["us-central1", {}, "https://us-central1-connectgateway.googleapis.com/v1"],
    [
      "us-central1",
      { GHA_ENDPOINT_OVERRIDE_connectgateway: "http://localhost:1/g/" },
      "http://localhost:1/g",
    ],
  ])("a membership in %s with the overrides %j has its gateway at %s", (location, environment, url) => {
    expect(gatewayUrl(location, { environment, universe: "googleapis.com", token: "" })).toBe(url);
  });
});

describe("a cluster that does not answer", () => {
  const TIMEOUT = "Unable to connect to the server: dial tcp 192.0.2.1:443: i/o timeout";
  const cluster = {
    ...CLUSTER,
    server: "https://192.0.2.1",
    endpoint: "public",
    reason: "",
    caCertificate: CA,
    version: "1.35.4",
    authorizedNetworks: false,
    offers: ["public"],
    network: undefined,
    subnetwork: undefined,
  } satisfies Cluster;
  const rows: [string, Partial<Cluster>, RegExp][] = [
    [
      "public",
      {},
      /at its public endpoint \(https:\/\/192\.0\.2\.1\).*firewall.*--enable-dns-access\).*endpoint to dns/s,
    ],
    [
      "with authorized networks",
      { authorizedNetworks: true },
      /authorized networks only.*--enable-dns-access.*or authorize the runner's address/s,
    ],
    [
      "with authorized networks and DNS",
      { authorizedNetworks: true, offers: ["public", "dns"] },
      /authorized networks only.*set the input endpoint to dns, or/s,
    ],
    [
      "private",
      { endpoint: "private", offers: ["private"] },
      /only inside the cluster's network.*--enable-dns-access/s,
    ],
    [
      "private, in a fleet",
      { endpoint: "private", offers: ["private", "connect_gateway"] },
      /set the input endpoint to connect_gateway\./,
    ],
    ["dns", { endpoint: "dns" }, /HTTPS_PROXY/],
  ];
  test.each(rows)("%s", (_, change, message) => {
    const error = unreachableCluster({ ...cluster, ...change }, `kubectl could not read a.\nWhy: ${TIMEOUT}`);
    expect(error?.message).toMatch(message);
    expect(error?.message).toContain(`Why: ${TIMEOUT}`);
  });

  test.each([
    "dial tcp 127.0.0.1:9: connect: connection refused",
    "dial tcp: lookup x.gke.goog: no such host",
    "it did not answer within 30s",
    "net/http: TLS handshake timeout",
    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
    "connect: no route to host",
    "connect: network is unreachable",
    "read: connection reset by peer",
  ])("%s", (failure) => {
    expect(unreachableCluster(cluster, failure)).toBeDefined();
  });

  test.each(["Unauthorized", 'secrets is forbidden: User "a" cannot list', "x509: unknown authority"])(
    "is not one that says %s",
    (failure) => {
      expect(unreachableCluster(cluster, failure)).toBeUndefined();
    },
  );
});

describe("a cluster that can't be used", () => {
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
    ["a response that is no cluster", { status: undefined }, /did not answer with a cluster/],
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
    await expect(lookUpCluster(CLUSTER, { endpoint: "auto" }, access(google, "made-up"))).rejects.toThrow(
      /doesn't accept the credentials.*UNAUTHENTICATED/s,
    );
  });
});

test("a 503 and a lost connection are retried", async () => {
  const google = await startGoogle({ faults: ["unavailable-container-api"] });
  expect(await lookUp(google)).toMatchObject(CLUSTER);
  expect(google.requests).toEqual([REQUEST, REQUEST, REQUEST]);
});
