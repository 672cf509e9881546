import { Resolver } from "node:dns/promises";
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Fault } from "../../local-gke/cloud.ts";
import type { State } from "../../local-gke/control-plane/state.ts";
import { selfSigned } from "../../local-gke/milvus/certificate.ts";
import { useCluster } from "../integration/support/cluster.ts";

/*
 * Google's Compute and Cloud DNS APIs and public DNS of a local GKE, used from
 * outside as Google's own clients do.
 */

const PROJECT = "projects/my-project";
const REGION = `${PROJECT}/regions/us-central1`;
const GLOBAL = `${PROJECT}/global`;
const SUBNETWORK = `${REGION}/subnetworks/default`;
const URLS = "https://www.googleapis.com/compute/v1";

/** What the tests read of answers' bodies. */
interface Body {
  access_token: string;
  name: string;
  address: string;
  selfLink: string;
  status: string;
  id: string;
  items: { name: string }[];
  rrsets: object[];
  error: { status: string; message: string; details: { reason: string }[] };
}

const cluster = useCluster();
let gke: State;
let token: string;
const resolver = new Resolver({ timeout: 5000, tries: 2 });

beforeAll(async () => {
  gke = cluster.gke;
  resolver.setServers([gke.env.GHA_ENDPOINT_OVERRIDE_resolver ?? ""]);
  token = await accessToken();
});

async function accessToken(): Promise<string> {
  const { origin } = new URL(gke.env.GHA_ENDPOINT_OVERRIDE_compute ?? "");
  const url = `${origin}/computeMetadata/v1/instance/service-accounts/default/token`;
  const response = await fetch(url, { headers: { "metadata-flavor": "Google" } });
  return (await bodyOf(response)).access_token;
}

async function bodyOf(response: Response): Promise<Body> {
  return JSON.parse(await response.text());
}

/** Calls an API and returns status and body. */
async function call(service: "compute" | "dns", method: string, path: string, body?: object) {
  const response = await fetch(`${gke.env[`GHA_ENDPOINT_OVERRIDE_${service}`]}/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await bodyOf(response) };
}

const compute = (method: string, path: string, body?: object) => call("compute", method, path, body);
const dns = (method: string, path: string, body?: object) => call("dns", method, path, body);

/** What the older JSON APIs answer instead. */
const refusal = (code: number, reason: string, message: string) => ({
  status: code,
  body: { error: { code, message, errors: [{ message, domain: "global", reason }] } },
});

async function control(method: string, path: string, body?: unknown) {
  const init = { method, ...(body !== undefined && { body: JSON.stringify(body) }) };
  const response = await fetch(`${gke.control}/${path}`, init);
  const answer = await bodyOf(response);
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer;
}

/** Until the test ends, or someone sets it back, every insert takes an hour. */
async function withSlowInserts(): Promise<void> {
  await control("PUT", "timing/insertDelayMs", 3_600_000);
  onTestFinished(endSlowInserts);
}

async function endSlowInserts(): Promise<void> {
  await control("PUT", "timing/insertDelayMs", 0);
}

async function withFault(fault: Fault): Promise<void> {
  await control("PUT", `faults/${fault}`);
  onTestFinished(async () => {
    await control("DELETE", `faults/${fault}`);
  });
}

/** Starts an operation, waits for it and returns it. */
async function operation(method: "POST" | "DELETE", path: string, body?: object) {
  const started = await compute(method, path, body);
  expect(started.status, JSON.stringify(started.body)).toBe(200);
  expect(started.body).toMatchObject({ kind: "compute#operation", status: "RUNNING" });
  const self = started.body.selfLink.replace(`${URLS}/`, "");
  const waited = await compute("POST", `${self}/wait`);
  expect(waited.body).toMatchObject({ name: started.body.name, status: "DONE", progress: 100 });
  expect(await compute("GET", self)).toEqual(waited);
  return waited.body;
}

describe("addresses", () => {
  test("a global one is reserved, listed and released", async () => {
    const path = `${GLOBAL}/addresses/my-address`;
    expect(await compute("GET", path)).toEqual(
      refusal(404, "notFound", `The resource '${path}' was not found`),
    );
    const done = await operation("POST", `${GLOBAL}/addresses`, {
      name: "my-address",
      description: "for Milvus",
      addressType: "EXTERNAL",
      ipVersion: "IPV4",
    });
    expect(done).toMatchObject({ operationType: "insert", targetLink: `${URLS}/${path}` });
    expect(done).not.toHaveProperty("error");
    const { status, body } = await compute("GET", path);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      kind: "compute#address",
      name: "my-address",
      description: "for Milvus",
      address: expect.stringMatching(/^127\.20\.\d+\.\d+$/),
      addressType: "EXTERNAL",
      status: "RESERVED",
      selfLink: `${URLS}/${path}`,
    });
    expect(body).not.toHaveProperty("users");
    expect((await compute("GET", `${GLOBAL}/addresses`)).body.items).toContainEqual(body);
    expect(await compute("POST", `${GLOBAL}/addresses`, { name: "my-address" })).toEqual(
      refusal(409, "alreadyExists", `The resource '${path}' already exists`),
    );
    await operation("DELETE", path);
    expect((await compute("GET", path)).status).toBe(404);
    expect((await compute("DELETE", path)).status).toBe(404);
  });

  test("an internal one is of its region", async () => {
    const path = `${REGION}/addresses/my-internal-address`;
    await operation("POST", `${REGION}/addresses`, {
      name: "my-internal-address",
      addressType: "INTERNAL",
      purpose: "SHARED_LOADBALANCER_VIP",
      subnetwork: SUBNETWORK,
    });
    expect((await compute("GET", path)).body).toMatchObject({
      addressType: "INTERNAL",
      purpose: "SHARED_LOADBALANCER_VIP",
      subnetwork: `${URLS}/${SUBNETWORK}`,
      region: `${URLS}/${REGION}`,
    });
    expect((await compute("GET", `${GLOBAL}/addresses/my-internal-address`)).status).toBe(404);
    expect((await compute("GET", path.replace("us-central1", "europe-west4"))).status).toBe(404);
    const { items } = (await compute("GET", `${REGION}/addresses?filter=name%20%3D%20my-internal-address`))
      .body;
    expect(items).toHaveLength(1);
  });

  test("while it is reserved it has no number, and the name is taken", async () => {
    await withSlowInserts();
    const { body: started } = await compute("POST", `${GLOBAL}/addresses?requestId=5a`, { name: "slow" });
    const { body: reserving } = await compute("GET", `${GLOBAL}/addresses/slow`);
    expect(reserving).toMatchObject({ name: "slow", status: "RESERVING" });
    expect(reserving).not.toHaveProperty("address");
    expect((await compute("POST", `${GLOBAL}/addresses`, { name: "slow" })).status).toBe(409);
    const again = await compute("POST", `${GLOBAL}/addresses?requestId=5a`, { name: "slow" });
    expect(again.body.name).toBe(started.name);
    const waiting = compute("POST", `${GLOBAL}/operations/${started.name}/wait`);
    await endSlowInserts();
    expect((await waiting).body).toMatchObject({ status: "DONE" });
    expect((await compute("GET", `${GLOBAL}/addresses/slow`)).body).toMatchObject({ status: "RESERVED" });
  });

  test("one that a load balancer uses names its rules, and can't be released", async () => {
    const { address } = await control("PUT", "static-addresses/taken");
    await control("PUT", "forwarding-rules/somebody-elses", { address });
    await control("PUT", "static-addresses/free");
    expect((await compute("GET", `${GLOBAL}/addresses/free`)).body.status).toBe("RESERVED");
    const path = `${GLOBAL}/addresses/taken`;
    const rule = `${GLOBAL}/forwardingRules/somebody-elses`;
    expect((await compute("GET", path)).body).toMatchObject({
      address,
      status: "IN_USE",
      users: [`${URLS}/${rule}`],
    });
    const message = `The address resource '${path}' is already being used by '${rule}'`;
    expect(await compute("DELETE", path)).toEqual(refusal(400, "resourceInUseByAnotherResource", message));
    await control("DELETE", "forwarding-rules/somebody-elses");
    await operation("DELETE", path);
  });

  test("one that an Ingress uses names the rules that the Ingress names", async () => {
    await control("PUT", "static-addresses/of-the-ingress");
    const spec = { defaultBackend: { service: { name: "web", port: { number: 80 } } } };
    const metadata = {
      name: "web",
      annotations: { "kubernetes.io/ingress.global-static-ip-name": "of-the-ingress" },
    };
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", annotations: { "cloud.google.com/neg": '{"ingress":true}' } },
      spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
    };
    const ingress = { apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata, spec };
    await cluster.apply(service);
    await cluster.apply(ingress);
    const rule = "ingress\\.kubernetes\\.io/forwarding-rule";
    const jsonpath = `jsonpath={.metadata.annotations.${rule}}`;
    await cluster.kubectl("wait", "ingress/web", `--for=${jsonpath}`, "--timeout=300s");
    const name = await cluster.kubectl("get", "ingress", "web", "-o", jsonpath);
    const path = `${GLOBAL}/addresses/of-the-ingress`;
    expect((await compute("GET", path)).body).toMatchObject({
      status: "IN_USE",
      users: [`${URLS}/${GLOBAL}/forwardingRules/${name}`],
    });
    await cluster.kubectl("delete", "ingress/web", "service/web", "--timeout=300s");
    expect((await compute("GET", path)).body.status).toBe("RESERVED");
  });

  test.each([
    [
      GLOBAL,
      { name: "My_Address" },
      "Invalid value for field 'resource.name': 'My_Address'. Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'",
    ],
    [
      REGION,
      { name: "a", addressType: "INTERNAL", subnetwork: `${REGION}/subnetworks/none` },
      `Invalid value for field 'resource.subnetwork': '${REGION}/subnetworks/none'. The referenced subnetwork resource cannot be found.`,
    ],
    [`${PROJECT}/regions/here`, { name: "a" }, "Invalid value for field 'region': 'here'. Unknown region."],
  ])("in %s, %o is refused", async (scope, body, message) => {
    expect(await compute("POST", `${scope}/addresses`, body)).toEqual(refusal(400, "invalid", message));
  });

  test("a member that addresses haven't is refused", async () => {
    const { status, body } = await compute("POST", `${GLOBAL}/addresses`, { name: "a", adress: "1.2.3.4" });
    expect([status, body.error.status]).toEqual([400, "INVALID_ARGUMENT"]);
    expect(body.error.message).toContain('Unknown name "adress"');
  });

  test("with its quota used up the operation fails", async () => {
    await withFault("static-address-quota");
    expect(await operation("POST", `${GLOBAL}/addresses`, { name: "one-more" })).toMatchObject({
      httpErrorStatusCode: 403,
      error: {
        errors: [
          { code: "QUOTA_EXCEEDED", message: "Quota 'STATIC_ADDRESSES' exceeded.  Limit: 8.0 globally." },
        ],
      },
    });
    expect((await compute("GET", `${GLOBAL}/addresses/one-more`)).status).toBe(404);
  });
});

test("a backend service tells the health of its pods, group by group", async () => {
  const namespace = "health-at-google";
  await cluster.installSmall(namespace);
  await cluster.deploy(namespace);
  const { backends }: { backends: Record<string, string> } = JSON.parse(
    JSON.stringify(await control("GET", "state")),
  );
  const name = Object.keys(backends).find((each) => each.includes(`-${namespace}-`));
  const group = `${URLS}/${PROJECT}/zones/us-central1-a/networkEndpointGroups/${name}`;
  const path = `${GLOBAL}/backendServices/${name}`;
  expect(await compute("GET", path)).toMatchObject({
    status: 200,
    body: { kind: "compute#backendService", name, protocol: "HTTP2", backends: [{ group }] },
  });
  const pods = await cluster.kubectl(
    "get",
    "pods",
    "-n",
    namespace,
    "-o",
    "jsonpath={.items[*].status.podIP}",
  );
  expect(await compute("POST", `${path}/getHealth`, { group })).toEqual({
    status: 200,
    body: {
      kind: "compute#backendServiceGroupHealth",
      healthStatus: [
        {
          instance: expect.stringMatching(/\/zones\/us-central1-a\/instances\/[\w-]+$/),
          ipAddress: pods,
          port: 19_530,
          healthState: "HEALTHY",
        },
      ],
    },
  });
  expect(await compute("POST", `${path}/getHealth`, { group: `${group}x` })).toEqual(
    refusal(400, "invalid", `Invalid value for field 'resource.group': '${group}x'.`),
  );
  const regional = `${REGION}/backendServices/${name}`;
  expect(await compute("POST", `${regional}/getHealth`, { group })).toEqual(
    refusal(404, "notFound", `The resource '${regional}' was not found`),
  );
});

test("the proxy-only subnet is there, and can be removed", async () => {
  const path = `${REGION}/subnetworks?filter=${encodeURIComponent("purpose = REGIONAL_MANAGED_PROXY")}`;
  const { body } = await compute("GET", path);
  expect(body.items).toMatchObject([
    { name: "proxy-only-subnet", role: "ACTIVE", network: `${URLS}/${GLOBAL}/networks/default` },
  ]);
  expect((await compute("GET", path.replace("us-central1", "europe-west4"))).body).not.toHaveProperty(
    "items",
  );
  expect((await compute("GET", `${REGION}/subnetworks?filter=purpose`)).body.error.message).toBe(
    "Invalid value for field 'filter': 'purpose'. Invalid list filter expression.",
  );
  await control("DELETE", "subnetworks/proxy-only-subnet");
  expect((await compute("GET", path)).body).not.toHaveProperty("items");
  await control("PUT", "subnetworks/proxy-only-subnet", {
    purpose: "REGIONAL_MANAGED_PROXY",
    role: "ACTIVE",
  });
  expect((await compute("GET", path)).body.items).toMatchObject(
    body.items.map(({ name }: { name: string }) => ({ name })),
  );
});

test("certificates are read", async () => {
  const { certificate, privateKey } = await selfSigned("my-release.milvus.io");
  await control("PUT", "ssl-certificates/my-certificate", { certificate, privateKey });
  const { status, body } = await compute("GET", `${GLOBAL}/sslCertificates/my-certificate`);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    name: "my-certificate",
    type: "SELF_MANAGED",
    certificate,
    subjectAlternativeNames: ["my-release.milvus.io"],
    expireTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
  });
  expect(JSON.stringify(body)).not.toContain("PRIVATE KEY");
  expect((await compute("GET", `${REGION}/sslCertificates/my-certificate`)).status).toBe(404);
  expect((await compute("GET", `${GLOBAL}/sslCertificates/none`)).status).toBe(404);
  await control("PUT", "ssl-certificates/regional", { certificate, privateKey, region: "us-central1" });
  expect((await compute("GET", `${REGION}/sslCertificates/regional`)).body).toMatchObject({
    region: `${URLS}/${REGION}`,
  });
  expect((await compute("GET", `${GLOBAL}/sslCertificates/regional`)).status).toBe(404);
});

test.each([
  ["sslPolicies", "ssl-policies"],
  ["securityPolicies", "security-policies"],
])("%s are read", async (collection, resource) => {
  const path = `${GLOBAL}/${collection}/my-policy`;
  expect((await compute("GET", path)).status).toBe(404);
  await control("PUT", `${resource}/my-policy`);
  expect((await compute("GET", path)).body).toMatchObject({ name: "my-policy", selfLink: `${URLS}/${path}` });
});

describe("Cloud Armor policies", () => {
  const POLICIES = `${GLOBAL}/securityPolicies`;
  const rule = (priority: number, action: string, ...srcIpRanges: string[]) => ({
    priority,
    action,
    match: { versionedExpr: "SRC_IPS_V1", config: { srcIpRanges } },
  });
  const DEFAULT = rule(2_147_483_647, "deny(403)", "*");
  const ranges = (count: number) => Array.from({ length: count }, (_, index) => `203.0.113.${index}/32`);

  test("are made with a default rule, changed rule by rule, and deleted", async () => {
    const rules = [rule(1, "allow", ...ranges(10)), DEFAULT];
    await operation("POST", POLICIES, { name: "lifecycle", description: "d", type: "CLOUD_ARMOR", rules });
    const path = `${POLICIES}/lifecycle`;
    expect((await compute("GET", path)).body).toMatchObject({ name: "lifecycle", description: "d", rules });
    expect((await compute("POST", POLICIES, { name: "lifecycle", rules })).status).toBe(409);

    await operation("POST", `${path}/addRule`, rule(2, "allow", "192.0.2.0/24"));
    await operation("POST", `${path}/patchRule?priority=1`, rule(1, "deny(404)", "192.0.2.7/32"));
    expect((await compute("GET", path)).body).toMatchObject({
      rules: [rule(1, "deny(404)", "192.0.2.7/32"), rule(2, "allow", "192.0.2.0/24"), DEFAULT],
    });
    await operation("POST", `${path}/removeRule?priority=1`);
    await operation("DELETE", path);
    expect((await compute("GET", path)).status).toBe(404);
  });

  test("have a default rule that admits everybody if they are made without rules", async () => {
    await operation("POST", POLICIES, { name: "bare" });
    expect((await compute("GET", `${POLICIES}/bare`)).body).toMatchObject({
      rules: [rule(2_147_483_647, "allow", "*")],
    });
  });

  test.each<[string, string, object]>([
    [
      "more than ten ranges in a rule",
      POLICIES,
      { name: "x", rules: [rule(1, "allow", ...ranges(11)), DEFAULT] },
    ],
    ["rules without a default", POLICIES, { name: "x", rules: [rule(1, "allow", ...ranges(1))] }],
    ["a second rule of a priority", `${POLICIES}/there/addRule`, rule(2_147_483_647, "allow", "*")],
    ["a change of a rule that isn't there", `${POLICIES}/there/patchRule?priority=7`, rule(7, "allow", "*")],
    ["no more default rule", `${POLICIES}/there/removeRule?priority=2147483647`, {}],
    ["a requestId, which the methods for rules don't have", `${POLICIES}/there/addRule?requestId=1`, DEFAULT],
  ])("refuse %s", async (_, path, body) => {
    await control("PUT", "security-policies/there");
    expect((await compute("POST", path, body)).status).toBe(400);
  });
});

describe("who may not use the Compute API", () => {
  const ADDRESS = `${GLOBAL}/addresses/my-address`;

  test("without permissions", async () => {
    await withFault("refuse-compute");
    const refused = (permission: string, resource: string) =>
      refusal(403, "forbidden", `Required 'compute.${permission}' permission for '${resource}'`);
    expect(await compute("GET", ADDRESS)).toEqual(refused("globalAddresses.get", ADDRESS));
    expect(await compute("POST", `${REGION}/addresses`, { name: "a" })).toEqual(
      refused("addresses.create", `${REGION}/addresses/a`),
    );
    expect(await compute("GET", `${REGION}/subnetworks`)).toEqual(refused("subnetworks.list", PROJECT));
  });

  test("where it is not enabled", async () => {
    await withFault("disabled-compute-api");
    const { status, body } = await compute("GET", ADDRESS);
    expect([status, body.error.status, body.error.details[0]?.reason]).toEqual([
      403,
      "PERMISSION_DENIED",
      "SERVICE_DISABLED",
    ]);
    expect(body.error.message).toContain("Compute Engine API has not been used in project");
  });

  test.each(["compute", "dns"] as const)("without a token: %s", async (service) => {
    const path = service === "compute" ? ADDRESS : `${PROJECT}/managedZones/my-zone`;
    const response = await fetch(`${gke.env[`GHA_ENDPOINT_OVERRIDE_${service}`]}/${path}`);
    expect(response.status).toBe(401);
  });
});

describe("Cloud DNS", () => {
  const HOST = "my-release.milvus.io.";
  const A = { name: HOST, type: "A", ttl: 60, rrdatas: ["127.20.0.1"] };
  const TXT = { name: HOST, type: "TXT", ttl: 60, rrdatas: ['"heritage=x,owner=y"'] };
  const ZONE = `${PROJECT}/managedZones/my-zone`;

  beforeEach(async () => {
    await control("PUT", "dns-zones/my-zone", { dnsName: "milvus.io" });
    return async () => {
      await control("DELETE", "dns-zones/my-zone");
    };
  });

  /** Makes a change and returns it when it is done. */
  async function change(body: object) {
    const { status, body: made } = await dns("POST", `${ZONE}/changes`, body);
    expect(status, JSON.stringify(made)).toBe(200);
    expect(made).toMatchObject({ kind: "dns#change", status: "pending" });
    return made;
  }

  const listed = async (query: string) => (await dns("GET", `${ZONE}/rrsets${query}`)).body.rrsets;

  test("a zone is read, with the records that every zone has", async () => {
    expect((await dns("GET", ZONE)).body).toMatchObject({
      kind: "dns#managedZone",
      name: "my-zone",
      dnsName: "milvus.io.",
      visibility: "public",
      nameServers: expect.arrayContaining(["ns-cloud-a1.googledomains.com."]),
    });
    expect(await listed("")).toMatchObject([
      { name: "milvus.io.", type: "NS" },
      { name: "milvus.io.", type: "SOA" },
    ]);
    expect(await resolver.resolveNs("milvus.io")).toContain("ns-cloud-a1.googledomains.com");
    const message = "The 'parameters.managedZone' resource named 'none' does not exist.";
    expect(await dns("GET", `${PROJECT}/managedZones/none`)).toEqual(refusal(404, "notFound", message));
  });

  test("a change is seen in the zone, and by the world when it is done", async () => {
    await withSlowInserts();
    const { id } = await change({ additions: [A, TXT] });
    expect(await listed(`?name=${HOST}`)).toMatchObject([A, TXT]);
    expect(await listed(`?name=${HOST}&type=A`)).toMatchObject([A]);
    await expect(resolver.resolve4(HOST)).rejects.toMatchObject({ code: "ENOTFOUND" });
    await endSlowInserts();
    const state = async () => (await dns("GET", `${ZONE}/changes/${id}`)).body.status;
    await expect.poll(state).toBe("done");
    expect(await resolver.resolve4(HOST, { ttl: true })).toEqual([{ address: "127.20.0.1", ttl: 60 }]);
    expect(await resolver.resolveTxt(HOST)).toEqual([["heritage=x,owner=y"]]);
  });

  test("a set is replaced in one change, which is made as a whole or not at all", async () => {
    await change({ additions: [A, TXT] });
    const moved = { ...A, rrdatas: ["127.20.0.2"] };
    const stale = { ...A, ttl: 300 };
    expect(await dns("POST", `${ZONE}/changes`, { deletions: [stale], additions: [moved] })).toMatchObject(
      refusal(412, "conditionNotMet", "Precondition not met for 'entity.change.deletions[0]'"),
    );
    expect(await dns("POST", `${ZONE}/changes`, { deletions: [TXT], additions: [moved] })).toMatchObject(
      refusal(
        409,
        "alreadyExists",
        `The resource 'entity.change.additions[0]' named '${HOST} (A)' already exists`,
      ),
    );
    expect(await listed(`?name=${HOST}`)).toMatchObject([A, TXT]);
    await change({ deletions: [A], additions: [moved] });
    expect(await listed(`?name=${HOST}&type=A`)).toMatchObject([moved]);
  });

  test.each([
    [{}, "The 'entity.change' parameter is required but was missing."],
    [{ additions: [{ ...A, type: "HTTP" }] }, "Invalid value for 'entity.change.additions[0].type': 'HTTP'"],
    [{ additions: [{ ...A, ttl: -1 }] }, "Invalid value for 'entity.change.additions[0].ttl': '-1'"],
    [
      { additions: [{ ...A, name: "milvus.org." }] },
      "Invalid value for 'entity.change.additions[0].name': 'milvus.org.'",
    ],
  ])("%j is no change", async (body, message) => {
    const { status, body: answer } = await dns("POST", `${ZONE}/changes`, body);
    expect([status, answer.error.message]).toEqual([400, message]);
  });

  test("text without quotation marks gets them", async () => {
    await change({ additions: [{ ...TXT, rrdatas: ["plain"] }] });
    expect(await listed(`?name=${HOST}&type=TXT`)).toMatchObject([{ rrdatas: ['"plain"'] }]);
  });

  test("who may only read", async () => {
    await withFault("refuse-dns-changes");
    expect(await dns("POST", `${ZONE}/changes`, { additions: [A] })).toEqual(
      refusal(403, "forbidden", "Forbidden"),
    );
    expect((await dns("GET", ZONE)).status).toBe(200);
  });

  test("where it is not enabled", async () => {
    await withFault("disabled-dns-api");
    const { status, body } = await dns("GET", ZONE);
    expect([status, body.error.details[0]?.reason]).toEqual([403, "SERVICE_DISABLED"]);
  });
});

describe("public DNS by hand", () => {
  test("records are set, read and removed", async () => {
    await control("PUT", "dns-records/db.example.com", { type: "CNAME", values: ["host.example.com."] });
    await control("PUT", "dns-records/host.example.com", { type: "A", values: ["127.20.0.9"], ttl: 30 });
    await control("PUT", "dns-records/example.com", { type: "CAA", values: ['0 issue "pki.goog"'] });
    expect(await resolver.resolve4("db.example.com")).toEqual(["127.20.0.9"]);
    expect(await resolver.resolveCaa("example.com")).toMatchObject([{ issue: "pki.goog" }]);
    expect(await control("GET", "dns-records/HOST.example.com")).toEqual([
      { name: "host.example.com.", type: "A", ttl: 30, values: ["127.20.0.9"] },
    ]);
    await control("DELETE", "dns-records/host.example.com", { type: "A" });
    await control("DELETE", "dns-records/db.example.com");
    await expect(resolver.resolve4("db.example.com")).rejects.toMatchObject({ code: "ENOTFOUND" });
  });

  test("a zone that nobody has delegated shows nothing to the world", async () => {
    await control("PUT", "dns-zones/elsewhere", { dnsName: "elsewhere.io", delegated: false });
    const A = { name: "a.elsewhere.io.", type: "A", ttl: 60, rrdatas: ["127.20.0.1"] };
    const zone = `${PROJECT}/managedZones/elsewhere`;
    expect((await dns("POST", `${zone}/changes`, { additions: [A] })).status).toBe(200);
    const rrsets = (await dns("GET", `${zone}/rrsets?name=a.elsewhere.io.`)).body.rrsets;
    expect(rrsets).toMatchObject([A]);
    await expect(resolver.resolve4("a.elsewhere.io")).rejects.toMatchObject({ code: "ENOTFOUND" });
  });
});
