import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { admitAll } from "../../local-gke/google/compute-security-policies.ts";
import { selfSigned } from "../../local-gke/milvus/certificate.ts";
import {
  eventually,
  LoadBalancerLab,
  type Namespace,
  plainRequest,
} from "../integration/support/load-balancer-lab.ts";

const CLASS = "kubernetes.io/ingress.class";
const ALLOW_HTTP = "kubernetes.io/ingress.allow-http";
const GLOBAL_IP = "kubernetes.io/ingress.global-static-ip-name";
const REGIONAL_IP = "kubernetes.io/ingress.regional-static-ip-name";
const PRE_SHARED = "ingress.gcp.kubernetes.io/pre-shared-cert";
const FRONTEND_CONFIG = "networking.gke.io/v1beta1.FrontendConfig";
const HOST = "ingress.milvus.io";
const HTTP = { [ALLOW_HTTP]: "true" };

let lab: LoadBalancerLab;

beforeAll(async () => {
  lab = await LoadBalancerLab.start("127.96.75", { addressDelayMs: 0 });
  lab.cloud.setSslCertificate({ name: "by-hand", ...(await selfSigned(HOST)) });
});

afterAll(() => lab?.stop());

async function namespaceWith(name: string, annotations: Record<string, string>): Promise<Namespace> {
  const namespace = await lab.namespace(name);
  await namespace.createIngress("milvus", HOST, { annotations });
  return namespace;
}

/** The event of a sync that failed in the load balancer's part. */
function syncError(reason: string): RegExp {
  const literal = reason.replaceAll(/[$()*+.?[\]^{|}]/g, "\\$&");
  return new RegExp(`^Warning Sync: .*load balancer syncing routine: .*${literal}$`);
}

describe("an internal load balancer", () => {
  const INTERNAL = { [CLASS]: "gce-internal" };

  beforeAll(async () => {
    lab.cloud.setSslCertificate({ name: "regional", region: "us-central1", ...(await selfSigned(HOST)) });
  });

  test("has an internal address", async () => {
    const namespace = await namespaceWith("internal", { ...INTERNAL, [PRE_SHARED]: "regional" });
    const address = await namespace.address("milvus");
    // Internal addresses are counted down from the network's last one.
    expect(Number(address.split(".").at(-1))).toBeGreaterThan(200);
    expect(await lab.handshake(address, HOST)).toMatchObject({ subject: `CN=${HOST}` });
  });

  test("needs a proxy-only subnet", async () => {
    const subnet = lab.cloud.subnetworks.get("proxy-only-subnet");
    if (!subnet) throw new Error("there is no proxy-only subnet to take away");
    lab.cloud.subnetworks.delete("proxy-only-subnet");
    const namespace = await namespaceWith("no-subnet", { ...INTERNAL, ...HTTP });
    await namespace.hasEvent(
      "Ingress",
      "milvus",
      /Error 400: Invalid value for field 'resource\.target': 'https:\/\/www\.googleapis\.com\/compute\/v1\/projects\/my-project\/regions\/us-central1\/targetHttpProxies\/k8s2-tp-[^']+'\. An active proxy-only subnetwork is required in the same region and VPC as the forwarding rule\., invalid$/,
    );
    lab.cloud.subnetworks.set("proxy-only-subnet", subnet);
    await namespace.address("milvus");
  });

  test("uses a regional address, and no global one of that name", async () => {
    lab.cloud.reserveAddress("shared-name");
    const namespace = await namespaceWith("regional", { ...INTERNAL, ...HTTP, [REGIONAL_IP]: "shared-name" });
    const reason = "the given static IP name shared-name doesn't translate to an existing static IP.";
    await namespace.hasEvent("Ingress", "milvus", syncError(reason));
    const reserved = lab.cloud.reserveAddress("shared-name", {
      region: "us-central1",
      addressType: "INTERNAL",
    });
    expect(await namespace.address("milvus")).toBe(reserved);
  });

  test("serves HTTP and HTTPS only on a reserved address", async () => {
    const namespace = await namespaceWith("both", { ...INTERNAL, ...HTTP, [PRE_SHARED]: "regional" });
    await namespace.hasEvent(
      "Ingress",
      "milvus",
      /^Warning WillNotConfigureFrontend: gce-internal Ingress class must be configured with a static-ip/,
    );
    await namespace.hasEvent("Ingress", "milvus", syncError("error invalid internal ingress https config"));
    lab.cloud.reserveAddress("both", { region: "us-central1", addressType: "INTERNAL" });
    await namespace.annotateIngress("milvus", { [REGIONAL_IP]: "both" });
    await namespace.address("milvus");
  });

  test("looks for its certificates in the region", async () => {
    const namespace = await namespaceWith("regional-certificate", { ...INTERNAL, [PRE_SHARED]: "by-hand" });
    const resource = "projects/my-project/regions/us-central1/sslCertificates/by-hand";
    await namespace.hasEvent(
      "Ingress",
      "milvus",
      syncError(`The resource '${resource}' was not found, notFound`),
    );
  });

  test("is ignored by the managed-certificate controller", async () => {
    const namespace = await lab.namespace("unmanaged");
    await namespace.createManagedCertificate("milvus", [HOST]);
    const managed = { "networking.gke.io/managed-certificates": "milvus" };
    await namespace.createIngress("milvus", HOST, { annotations: { ...INTERNAL, ...HTTP, ...managed } });
    // An external one that comes later is dealt with.
    await namespace.createIngress("external", HOST, { annotations: managed });
    await eventually(async () =>
      expect(await namespace.annotation("external", PRE_SHARED)).toMatch(/^mcrt-/),
    );
    expect(await namespace.annotation("milvus", PRE_SHARED)).toBeUndefined();
  });
});

test("a static address that another load balancer has is refused until that one is gone", async () => {
  const address = lab.cloud.reserveAddress("taken");
  const first = await namespaceWith("taken", { ...HTTP, [GLOBAL_IP]: "taken" });
  expect(await first.address("milvus")).toBe(address);
  const second = await namespaceWith("second", { ...HTTP, [GLOBAL_IP]: "taken" });
  const reason = `googleapi: Error 400: Invalid value for field 'resource.IPAddress': '${address}'. Specified IP address is in-use and would result in a conflict., invalid`;
  await second.hasEvent("Ingress", "milvus", syncError(reason));
  await first.delete("networking.k8s.io/v1", "Ingress", "milvus");
  expect(await second.address("milvus")).toBe(address);
});

describe("FrontendConfig", () => {
  test.each([
    { code: undefined, status: 301 },
    { code: "PERMANENT_REDIRECT", status: 308 },
  ])("redirects HTTP to HTTPS with $status", async ({ code, status }) => {
    const name = `redirect-${status}`;
    const namespace = await namespaceWith(name, {
      ...HTTP,
      [PRE_SHARED]: "by-hand",
      [FRONTEND_CONFIG]: "milvus",
    });
    const redirectToHttps = { enabled: true, ...(code && { responseCodeName: code }) };
    await namespace.create("networking.gke.io/v1beta1", "FrontendConfig", "milvus", {
      spec: { redirectToHttps },
    });
    const address = await namespace.address("milvus");
    await eventually(async () =>
      expect(await plainRequest(address, HOST, "/a?b=c")).toEqual({
        status,
        location: `https://${HOST}/a?b=c`,
      }),
    );
    const annotation = "ingress.kubernetes.io/redirect-url-map";
    await eventually(async () =>
      expect(await namespace.annotation("milvus", annotation)).toMatch(/^k8s2-rm-/),
    );

    await namespace.patch("networking.gke.io/v1beta1", "FrontendConfig", "milvus", {
      spec: { redirectToHttps: { enabled: false } },
    });
    await eventually(async () =>
      expect(await plainRequest(address, HOST, "/")).toEqual({ status: 502, location: undefined }),
    );
    await eventually(async () => expect(await namespace.annotation("milvus", annotation)).toBeUndefined());
  });

  test.each([
    {
      what: "a status that isn't one for redirects",
      namespace: "redirect-unknown",
      annotations: {},
      redirectToHttps: { enabled: true, responseCodeName: "TELEPORT" },
      reason:
        "ensureRedirectUrlMap() = googleapi: Error 400: Invalid value for field 'resource.defaultUrlRedirect.redirectResponseCode': 'TELEPORT'. , invalid",
    },
    {
      what: "a redirect of an internal load balancer",
      namespace: "redirect-internal",
      annotations: { [CLASS]: "gce-internal" },
      redirectToHttps: { enabled: true },
      reason: "ensureRedirectUrlMap() = error: cannot enable HTTPS Redirects with L7 ILB",
    },
  ])("$what is refused", async ({ namespace: name, annotations, redirectToHttps, reason }) => {
    const namespace = await namespaceWith(name, { ...HTTP, ...annotations, [FRONTEND_CONFIG]: "milvus" });
    await namespace.create("networking.gke.io/v1beta1", "FrontendConfig", "milvus", {
      spec: { redirectToHttps },
    });
    await namespace.hasEvent("Ingress", "milvus", syncError(reason));
  });

  test("an SSL policy must exist", async () => {
    const namespace = await lab.namespace("ssl-policy");
    await namespace.create("networking.gke.io/v1beta1", "FrontendConfig", "milvus", {
      spec: { sslPolicy: "modern" },
    });
    const annotations = { [PRE_SHARED]: "by-hand", [FRONTEND_CONFIG]: "milvus" };
    await namespace.createIngress("milvus", HOST, { annotations });
    const resource = "projects/my-project/global/sslPolicies/modern";
    await namespace.hasEvent(
      "Ingress",
      "milvus",
      syncError(`The resource '${resource}' was not found, notFound`),
    );
    lab.cloud.sslPolicies.add("modern");
    await namespace.address("milvus");
  });
});

describe("BackendConfig", () => {
  test.each([
    {
      what: "a security policy must exist",
      namespace: "armor",
      ingressClass: "gce",
      event:
        /backend syncing routine: failed to set security policy from "" to "armor" for backend service k8s1-\S+ \(armor\/milvus:&ServiceBackendPort\{Name:,Number:19530,\}\): googleapi: Error 404: .*securityPolicies\/armor' was not found/,
    },
    {
      what: "an internal load balancer has no security policy",
      namespace: "armor-internal",
      ingressClass: "gce-internal",
      event: /cloud armor security policies not supported for regional backend service k8s1-/,
    },
  ])("$what", async ({ namespace: name, ingressClass, event }) => {
    const namespace = await lab.namespace(name);
    await namespace.create("cloud.google.com/v1", "BackendConfig", "milvus", {
      spec: { securityPolicy: { name } },
    });
    await namespace.patch("v1", "Service", "milvus", {
      metadata: { annotations: { "cloud.google.com/backend-config": '{"default":"milvus"}' } },
    });
    await namespace.createIngress("milvus", HOST, { annotations: { ...HTTP, [CLASS]: ingressClass } });
    await namespace.hasEvent("Ingress", "milvus", event);
    lab.cloud.securityPolicies.set(name, { name, description: "", rules: [admitAll()] });
    if (ingressClass === "gce") await namespace.address("milvus");
  });
});
