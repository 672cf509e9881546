import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import { endpointsOf } from "../../src/gke/backend-health.ts";
import {
  getAddress,
  getSslCertificate,
  proxyOnlySubnets,
  releaseAddress,
  reserveAddress,
} from "../../src/gke/compute.ts";
import type { GoogleProject } from "../../src/gke/google-api.ts";
import { CLUSTER, projectOf, startGoogle } from "../support/google.ts";
import { captureLog } from "../support/job-log.ts";

const PREFIX = "/compute/v1/projects/my-project/";

interface Answer {
  status?: number;
  body: unknown;
}

/** No answer at all. */
const SILENCE: Answer = { body: undefined };

interface Request {
  /** Method and path after the project, without the query. */
  line: string;
  query: URLSearchParams;
  token: string | undefined;
  body: unknown;
}

/**
 * Starts a server that gives each request, `GET global/addresses/x`, its answers in
 * turn, the last one for ever.
 */
async function startCompute(script: Record<string, Answer[]>) {
  const requests: Request[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "", "http://localhost");
    const line = `${request.method} ${url.pathname.replace(PREFIX, "")}`;
    const body = await text(request);
    requests.push({
      line,
      query: url.searchParams,
      token: request.headers.authorization,
      body: body ? JSON.parse(body) : undefined,
    });
    const answers = script[line] ?? [];
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? notFound("it");
    if (answer === SILENCE) return;
    response.writeHead(answer.status ?? 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer.body));
  });
  const port = await listenOnFreePort(server);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const cancellation = new AbortController();
  const project: GoogleProject = {
    projectId: "my-project",
    universe: "googleapis.com",
    environment: { GHA_ENDPOINT_OVERRIDE_compute: `http://127.0.0.1:${port}/compute/v1` },
    accessToken: async () => "ya29.token",
    signal: cancellation.signal,
  };
  return { project, requests, cancellation };
}

function refusal(status: number, reason: string, message: string): Answer {
  return {
    status,
    body: { error: { code: status, message, errors: [{ message, domain: "global", reason }] } },
  };
}

function notFound(resource: string): Answer {
  return refusal(404, "notFound", `The resource 'projects/my-project/${resource}' was not found`);
}

const ADDRESS = {
  kind: "compute#address",
  name: "milvus",
  address: "203.0.113.7",
  addressType: "EXTERNAL",
  status: "RESERVED",
};
const MISSING = notFound("global/addresses/milvus");
const DONE = { body: { name: "operation-1", status: "DONE" } };
const RUNNING = { body: { name: "operation-1", status: "RUNNING" } };
const WAIT = "POST global/operations/operation-1/wait";

/** The operation's end, as Google gives it when the error is found only then. */
function failedOperation(status: number, code: string, message: string): Answer {
  const error = { errors: [{ code, message }] };
  return { body: { name: "operation-1", status: "DONE", httpErrorStatusCode: status, error } };
}

describe("an address", () => {
  test("is read with the token of the moment", async () => {
    const { project, requests } = await startCompute({ "GET global/addresses/milvus": [{ body: ADDRESS }] });
    expect(await getAddress("global", "milvus", project)).toEqual({
      name: "milvus",
      address: "203.0.113.7",
      addressType: "EXTERNAL",
      status: "RESERVED",
      users: [],
    });
    expect(requests).toMatchObject([{ token: "Bearer ya29.token" }]);
  });

  test("that another run is reserving is awaited", async () => {
    const { address: _, ...unfinished } = { ...ADDRESS, status: "RESERVING" };
    const { project } = await startCompute({
      "GET global/addresses/milvus": [{ body: unfinished }, { body: ADDRESS }],
    });
    expect(await getAddress("global", "milvus", project)).toMatchObject({ address: "203.0.113.7" });
  });

  test("that doesn't exist is undefined", async () => {
    const { project } = await startCompute({});
    expect(await getAddress("regions/us-central1", "milvus", project)).toBeUndefined();
  });

  test.each<[string, Answer, RegExp]>([
    [
      "a missing project",
      refusal(404, "notFound", "The resource 'projects/my-project' was not found"),
      /there is no project my-project.*check project_id/s,
    ],
    [
      "a missing permission",
      refusal(403, "forbidden", "Required 'compute.globalAddresses.get' permission for 'x'"),
      /may not read the static address milvus.*Required 'compute.*roles\/compute\.viewer in the project my-project \(it holds compute\.globalAddresses\.get\)/s,
    ],
    [
      "a disabled API",
      {
        status: 403,
        body: {
          error: {
            code: 403,
            message: "Compute Engine API has not been used in project 1 before or it is disabled.",
            errors: [{ reason: "accessNotConfigured" }],
            details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "SERVICE_DISABLED" }],
          },
        },
      },
      /Compute Engine API is not enabled.*gcloud services enable compute\.googleapis\.com --project=my-project/s,
    ],
    ["a refused token", refusal(401, "authError", "Invalid Credentials"), /doesn't accept the credentials/],
    [
      "too many requests, which Google calls forbidden",
      refusal(403, "rateLimitExceeded", "Rate Limit Exceeded"),
      /Could not read the static address milvus, even after retries.*run the job again/s,
    ],
    ["anything else", refusal(400, "invalid", "Invalid value for field 'address'"), /Google refused to read/],
  ])("can't be read: %s", async (_, answer, message) => {
    const { project, requests } = await startCompute({ "GET global/addresses/milvus": [answer] });
    await expect(getAddress("global", "milvus", project)).rejects.toThrow(message);
    expect(requests).toHaveLength(1);
  });

  test("is requested again after a 503", async () => {
    const { project, requests } = await startCompute({
      "GET global/addresses/milvus": [refusal(503, "backendError", "Backend Error"), { body: ADDRESS }],
    });
    expect(await getAddress("global", "milvus", project)).toMatchObject({ address: "203.0.113.7" });
    expect(requests).toHaveLength(2);
  });
});

describe("reserving", () => {
  test("a global address: IPv4, external, once the operation is done", async () => {
    const { project, requests } = await startCompute({
      "POST global/addresses": [RUNNING],
      [WAIT]: [DONE],
      "GET global/addresses/milvus": [{ body: ADDRESS }],
    });
    const details = { description: "of default/milvus" };
    expect(await reserveAddress("global", "milvus", details, project)).toMatchObject({ status: "RESERVED" });
    expect(requests.map(({ line }) => line)).toEqual([
      "POST global/addresses",
      WAIT,
      "GET global/addresses/milvus",
    ]);
    expect(requests[0]?.body).toEqual({
      name: "milvus",
      description: "of default/milvus",
      addressType: "EXTERNAL",
      ipVersion: "IPV4",
    });
  });

  test("a regional address: internal, shared, in the subnet", async () => {
    const { project, requests } = await startCompute({
      "POST regions/us-central1/addresses": [DONE],
      "GET regions/us-central1/addresses/milvus": [{ body: { ...ADDRESS, addressType: "INTERNAL" } }],
    });
    const subnetwork = "projects/my-project/regions/us-central1/subnetworks/default";
    await reserveAddress("regions/us-central1", "milvus", { description: "x", subnetwork }, project);
    expect(requests[0]?.body).toEqual({
      name: "milvus",
      description: "x",
      addressType: "INTERNAL",
      purpose: "SHARED_LOADBALANCER_VIP",
      subnetwork,
    });
  });

  test("a repeated request has the same id", async () => {
    const { project, requests } = await startCompute({
      "POST global/addresses": [refusal(503, "backendError", "Backend Error"), DONE],
      "GET global/addresses/milvus": [{ body: ADDRESS }],
    });
    await reserveAddress("global", "milvus", { description: "x" }, project);
    const [first, second] = requests.map(({ query }) => query.get("requestId"));
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(second).toBe(first);
  });

  test.each<[string, Answer]>([
    [
      "at once",
      refusal(
        409,
        "alreadyExists",
        "The resource 'projects/my-project/global/addresses/milvus' already exists",
      ),
    ],
    ["by its operation", failedOperation(409, "RESOURCE_ALREADY_EXISTS", "already exists")],
  ])("one that exists already is taken as it is, said %s", async (_, answer) => {
    const { project } = await startCompute({
      "POST global/addresses": [answer],
      "GET global/addresses/milvus": [{ body: ADDRESS }],
    });
    const address = await reserveAddress("global", "milvus", { description: "x" }, project);
    expect(address.address).toBe("203.0.113.7");
  });

  test.each<[string, Answer, RegExp]>([
    [
      "a quota",
      refusal(403, "quotaExceeded", "Quota 'STATIC_ADDRESSES' exceeded. Limit: 8.0 globally."),
      /Could not reserve the static address milvus: the project my-project has used up a quota.*STATIC_ADDRESSES/s,
    ],
    [
      "a quota, said by the operation",
      failedOperation(403, "QUOTA_EXCEEDED", "Quota 'STATIC_ADDRESSES' exceeded."),
      /used up a quota.*QUOTA_EXCEEDED: Quota 'STATIC_ADDRESSES' exceeded/s,
    ],
    [
      "a missing permission",
      refusal(403, "forbidden", "Required 'compute.globalAddresses.create' permission"),
      /may not reserve.*roles\/compute\.loadBalancerAdmin.*\(it holds compute\.globalAddresses\.create\)/s,
    ],
  ])("is refused: %s", async (_, answer, message) => {
    const { project } = await startCompute({ "POST global/addresses": [answer] });
    const reserving = reserveAddress("global", "milvus", { description: "x" }, project);
    await expect(reserving).rejects.toThrow(message);
  });

  test.each<[string, Record<string, Answer[]>]>([
    ["before the operation ends", { "POST global/addresses": [RUNNING], [WAIT]: [RUNNING] }],
    ["before the wait is answered", { "POST global/addresses": [RUNNING], [WAIT]: [SILENCE] }],
  ])("ends with the job, %s", async (_, script) => {
    const { project, requests, cancellation } = await startCompute(script);
    const outcome = expect(reserveAddress("global", "milvus", { description: "x" }, project)).rejects.toThrow(
      "cancelled",
    );
    await vi.waitFor(() => expect(requests.length).toBeGreaterThan(1), 100_000);
    cancellation.abort(new Error("cancelled"));
    await outcome;
  });
});

describe("releasing", () => {
  const line = "DELETE global/addresses/milvus";
  test.each<[string, Answer, boolean]>([
    ["an address", DONE, true],
    ["one that isn't there", MISSING, false],
    ["one that somebody else has just released", failedOperation(404, "RESOURCE_NOT_FOUND", "x"), false],
  ])("%s", async (_, answer, expected) => {
    const { project } = await startCompute({ [line]: [answer] });
    expect(await releaseAddress("global", "milvus", project)).toBe(expected);
  });

  test("an address in use is refused", async () => {
    const text = "The address resource 'milvus' is already being used by 'forwardingRules/k8s2-fs-x'";
    const { project } = await startCompute({
      [line]: [refusal(400, "resourceInUseByAnotherResource", text)],
    });
    await expect(releaseAddress("global", "milvus", project)).rejects.toThrow(/still in use.*k8s2-fs-x/s);
  });
});

test("the proxy-only subnets of a network that are active, from all pages and from a Shared VPC's project", async () => {
  const network = "projects/host-project/global/networks/shared";
  const url = `https://www.googleapis.com/compute/v1/${network}`;
  const subnet = (name: string, members: object) => ({
    name,
    network: url,
    purpose: "REGIONAL_MANAGED_PROXY",
    role: "ACTIVE",
    ...members,
  });
  const line = "GET /compute/v1/projects/host-project/regions/us-central1/subnetworks";
  const { project, requests } = await startCompute({
    [line]: [
      {
        body: {
          items: [
            subnet("proxies", {}),
            subnet("nodes", { purpose: "PRIVATE", role: undefined }),
            subnet("spare", { role: "BACKUP" }),
            subnet("other-network", { network: `${url}-2` }),
          ],
          nextPageToken: "a/b=",
        },
      },
      { body: { items: [subnet("old-proxies", { purpose: "INTERNAL_HTTPS_LOAD_BALANCER" })] } },
    ],
  });
  expect(await proxyOnlySubnets("us-central1", network, project)).toEqual(["proxies", "old-proxies"]);
  expect(requests.map(({ query }) => query.get("pageToken"))).toEqual([null, "a/b="]);
});

describe("an SSL certificate", () => {
  test("a managed one", async () => {
    const managed = {
      domains: ["a.example.com"],
      status: "PROVISIONING",
      domainStatus: { "a.example.com": "FAILED_NOT_VISIBLE" },
    };
    const { project } = await startCompute({
      "GET global/sslCertificates/x": [{ body: { name: "x", type: "MANAGED", managed } }],
    });
    expect(await getSslCertificate("global", "x", project)).toEqual({
      name: "x",
      type: "MANAGED",
      subjectAlternativeNames: [],
      managed,
    });
  });

  test("one that isn't there, in a region", async () => {
    const { project, requests } = await startCompute({});
    expect(await getSslCertificate("regions/us-central1", "x", project)).toBeUndefined();
    expect(requests[0]?.line).toBe("GET regions/us-central1/sslCertificates/x");
  });
});

captureLog();

test("with local GKE's API, an address is reserved once, is in use, and is released", async () => {
  const google = await startGoogle();
  const project = await projectOf(google);
  const region = `regions/${CLUSTER.location}` as const;
  const network = `projects/${CLUSTER.projectId}/global/networks/default`;
  const subnetwork = `projects/${CLUSTER.projectId}/${region}/subnetworks/default`;

  for (const scope of ["global", region] as const) {
    const reserve = () => reserveAddress(scope, "milvus", { description: "x", subnetwork }, project);
    const [first, second] = await Promise.all([reserve(), reserve()]);
    expect(second).toEqual(first);
    expect(first).toMatchObject({ status: "RESERVED", users: [] });
    expect(await releaseAddress(scope, "milvus", project)).toBe(true);
    expect(await releaseAddress(scope, "milvus", project)).toBe(false);
  }
  google.cloud.setFault("static-address-quota", true);
  await expect(reserveAddress("global", "milvus", { description: "x" }, project)).rejects.toThrow(
    /used up a quota/,
  );
  expect(await proxyOnlySubnets(CLUSTER.location, network, project)).toHaveLength(1);
});

test("the health of a backend service is that of its groups in all zones", async () => {
  const health = (ipAddress: string) => ({
    body: { healthStatus: [{ ipAddress, port: 19_530, healthState: "HEALTHY" }] },
  });
  const { project, requests } = await startCompute({
    "GET global/backendServices/neg": [{ body: { backends: [{ group: "a" }, { group: "b" }] } }],
    "POST global/backendServices/neg/getHealth": [health("10.0.0.1"), health("10.0.1.1")],
  });
  const endpoints = await endpointsOf("global", "neg", project);
  expect(endpoints?.map(({ ipAddress }) => ipAddress).sort()).toEqual(["10.0.0.1", "10.0.1.1"]);
  expect(requests.slice(1).map(({ body }) => body)).toEqual([{ group: "a" }, { group: "b" }]);
});
