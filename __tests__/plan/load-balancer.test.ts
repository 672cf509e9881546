import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { Manifest } from "../../src/kubernetes/api.ts";
import { Ingress, type KubernetesObject } from "../../src/kubernetes/objects.ts";
import { referencesOf } from "../../src/loadbalancer/references.ts";
import { type LoadBalancerPlan, planLoadBalancer } from "../../src/plan/load-balancer.ts";
import { selfSigned } from "../support/certificates.ts";
import { HOST, liveObject, observed, settings, withCertificate } from "../support/observed.ts";

const PORT = { name: "milvus", port: 19530 };
const PAIR = { certificate: "c", privateKey: "k" };
const TLS = "my-release-milvus-tls";
const AUTHORITY = `${TLS}-ca`;
const PRE_SHARED = "ingress.gcp.kubernetes.io/pre-shared-cert";

type Kind = "self-managed" | "google-managed" | "secret" | "pre-shared";
const KINDS: Kind[] = ["self-managed", "google-managed", "secret", "pre-shared"];

/** The inputs that ask for each kind. For `secret` the Secret is the user's. */
const INPUTS: Record<Kind, Record<string, string>> = {
  "self-managed": { certificate: "self-managed" },
  "google-managed": { certificate: "google-managed" },
  secret: { certificate: "secret", tls_secret: "mine" },
  "pre-shared": { certificate: "pre-shared", pre_shared_certificates: "b,a" },
};

const secret = (name: string, manager: string) =>
  liveObject({
    kind: "Secret",
    metadata: {
      name,
      managedFields: [{ manager, operation: "Apply", fieldsV1: { "f:data": {} } }],
    },
  });

/**
 * Returns the Ingress that a manifest becomes; `preShared`: what Google's controller makes of the annotation.
 */
function applied(manifest: Manifest, preShared?: string): KubernetesObject {
  const { annotations, ...metadata } = manifest.metadata;
  return liveObject({
    ...manifest,
    metadata: { ...metadata, annotations: { ...annotations, ...(preShared && { [PRE_SHARED]: preShared }) } },
  });
}

function managedCertificate(
  name: string,
  status: { certificateName?: string; certificateStatus?: string } = {},
  domains = [HOST],
): KubernetesObject {
  return liveObject({ kind: "ManagedCertificate", metadata: { name }, spec: { domains }, status });
}

function plan(
  inputs: Record<string, string>,
  objects: readonly KubernetesObject[],
  newPair?: typeof PAIR,
): LoadBalancerPlan {
  const wanted = settings(inputs);
  return planLoadBalancer(wanted, withCertificate(observed({}, {}, objects, wanted.host), newPair), PORT);
}

function ingressOf({ manifests }: LoadBalancerPlan): Manifest {
  const manifest = manifests.at(-1);
  if (manifest?.kind !== "Ingress") throw new Error("the Ingress must come last");
  return manifest;
}

/** The objects of a load balancer that serves a certificate of this kind. */
function loadBalancerWith(kind: Kind): KubernetesObject[] {
  const objects: KubernetesObject[] = {
    "self-managed": [secret(TLS, "milvus-gke-load-balancer")],
    "google-managed": [managedCertificate(TLS, { certificateName: "mcrt-1", certificateStatus: "Active" })],
    secret: [secret("mine", "cert-manager")],
    "pre-shared": [],
  }[kind];
  const { manifests, finalIngress } = plan(INPUTS[kind], objects);
  const ingress = finalIngress ?? manifests.at(-1);
  if (!ingress) throw new Error("a load balancer has an Ingress");
  return [...objects, applied(ingress, kind === "google-managed" ? "mcrt-1" : undefined)];
}

/** What an Ingress presents: Secrets, ManagedCertificates, names at Google. */
function presented(manifest: Manifest | undefined): string[] | undefined {
  if (!manifest) return undefined;
  const { secrets, managed, preShared } = referencesOf(v.parse(Ingress, manifest));
  return [secrets.join(), managed.join(), preShared.join()];
}

/** The hosts that an Ingress routes. */
function hostsOf(manifest: Manifest | undefined): unknown[] {
  return v.parse(Ingress, manifest).spec.rules.map(({ host }) => host);
}

const orphansOf = ({ orphans }: LoadBalancerPlan) => orphans.map(({ kind, name }) => `${kind} ${name}`);
const kindsOf = ({ manifests }: LoadBalancerPlan) => manifests.map(({ kind }) => kind);

describe("a change between an external and an internal load balancer", () => {
  const INTERNAL = { load_balancer: "internal", location: "us-central1" };

  test("removes the certificate names that Google's controller wrote, which nobody else removes", () => {
    const first = plan({ ...INPUTS["self-managed"], ...INTERNAL }, loadBalancerWith("google-managed"), PAIR);
    expect(ingressOf(first).metadata.annotations).toMatchObject({ [PRE_SHARED]: "" });
    expect(first.finalIngress?.metadata.annotations).not.toHaveProperty([PRE_SHARED]);

    // A run that was interrupted then: the annotation is this action's own, and goes by being left out.
    const live = [secret(TLS, "milvus-gke-load-balancer"), applied(ingressOf(first))];
    const second = plan({ ...INPUTS["self-managed"], ...INTERNAL }, live);
    expect(ingressOf(second).metadata.annotations).not.toHaveProperty([PRE_SHARED]);
    expect(second.finalIngress).toBeUndefined();
  });

  test("names the region's certificates at once", () => {
    const next = plan({ ...INPUTS["pre-shared"], ...INTERNAL }, loadBalancerWith("google-managed"));
    expect(presented(ingressOf(next))).toEqual(["", "", "b,a"]);
    expect(next.finalIngress).toBeUndefined();
  });

  test("drops the region's certificates from an external one at once", () => {
    const region = plan({ ...INPUTS["pre-shared"], ...INTERNAL }, []);
    const next = plan(INPUTS["google-managed"], [applied(ingressOf(region))]);
    expect(presented(ingressOf(next))).toEqual(["", TLS, ""]);
  });
});

describe("a change of the kind of certificate", () => {
  const MINE = secret("mine", "cert-manager");
  test.each<[Kind, Kind, string[], string[], string[] | undefined, string[]]>([
    ["self-managed", "self-managed", [], [TLS, "", ""], undefined, []],
    [
      "self-managed",
      "google-managed",
      ["ManagedCertificate"],
      [TLS, TLS, ""],
      ["", TLS, ""],
      [`Secret ${TLS}`],
    ],
    ["self-managed", "secret", [], ["mine", "", ""], undefined, [`Secret ${TLS}`]],
    ["self-managed", "pre-shared", [], ["", "", "b,a"], undefined, [`Secret ${TLS}`]],
    ["google-managed", "self-managed", ["Secret"], [TLS, "", ""], undefined, [`ManagedCertificate ${TLS}`]],
    ["google-managed", "google-managed", ["ManagedCertificate"], ["", TLS, ""], undefined, []],
    ["google-managed", "secret", [], ["mine", "", ""], undefined, [`ManagedCertificate ${TLS}`]],
    ["google-managed", "pre-shared", [], ["", "", "b,a"], undefined, [`ManagedCertificate ${TLS}`]],
    ["secret", "self-managed", ["Secret"], [TLS, "", ""], undefined, []],
    ["secret", "google-managed", ["ManagedCertificate"], ["mine", TLS, ""], ["", TLS, ""], []],
    ["secret", "secret", [], ["mine", "", ""], undefined, []],
    ["secret", "pre-shared", [], ["", "", "b,a"], undefined, []],
    ["pre-shared", "self-managed", ["Secret"], [TLS, "", ""], undefined, []],
    ["pre-shared", "google-managed", ["ManagedCertificate"], ["", TLS, "a,b"], ["", TLS, ""], []],
    ["pre-shared", "secret", [], ["mine", "", ""], undefined, []],
    ["pre-shared", "pre-shared", [], ["", "", "b,a"], undefined, []],
  ])("%s to %s", (from, to, certificates, during, finally_, orphans) => {
    const live = loadBalancerWith(from);
    const objects = to === "secret" && from !== "secret" ? [...live, MINE] : live;
    const hasPair = objects.some(({ kind, metadata }) => kind === "Secret" && metadata.name === TLS);
    const next = plan(INPUTS[to], objects, to === "self-managed" && !hasPair ? PAIR : undefined);
    expect(kindsOf(next)).toEqual(["BackendConfig", ...certificates, "Ingress"]);
    expect(presented(ingressOf(next))).toEqual(during);
    expect(presented(next.finalIngress)).toEqual(finally_);
    expect(orphansOf(next)).toEqual(orphans);
    expect(next.adopted).toEqual([]);
    expect(next.givenUp).toBeUndefined();
  });

  test.each(KINDS)(
    "a first load balancer with %s needs no second look at the Ingress, and leaves nothing",
    (kind) => {
      const first = plan(
        INPUTS[kind],
        kind === "secret" ? [MINE] : [],
        kind === "self-managed" ? PAIR : undefined,
      );
      expect(first.finalIngress).toBeUndefined();
      expect(first.orphans).toEqual([]);
      expect(presented(ingressOf(first))).toEqual(
        {
          "self-managed": [TLS, "", ""],
          "google-managed": ["", TLS, ""],
          secret: ["mine", "", ""],
          "pre-shared": ["", "", "b,a"],
        }[kind],
      );
    },
  );
});

describe("a Google-managed certificate", () => {
  const google = INPUTS["google-managed"];
  const PROVISIONING = { certificateName: "mcrt-1", certificateStatus: "Provisioning" };
  const ACTIVE = { certificateName: "mcrt-1", certificateStatus: "Active" };
  const GIVEN_UP = { certificateName: "mcrt-1", certificateStatus: "ProvisioningFailedPermanently" };

  /** A self-managed load balancer that has been on its way to Google's certificate since an earlier run. */
  function onTheWay(status: typeof ACTIVE, preShared?: string): KubernetesObject[] {
    const self = loadBalancerWith("self-managed").filter(({ kind }) => kind !== "Ingress");
    const before = plan(google, loadBalancerWith("self-managed"));
    return [...self, managedCertificate(TLS, status), applied(ingressOf(before), preShared)];
  }

  test.each<[string, KubernetesObject[], string[], string[] | undefined]>([
    [
      "isn't issued: the Secret stays beside it",
      onTheWay(PROVISIONING, "mcrt-1"),
      [TLS, TLS, "mcrt-1"],
      ["", TLS, ""],
    ],
    ["is issued and not named at Google", onTheWay(ACTIVE), [TLS, TLS, ""], ["", TLS, ""]],
    ["another one is named at Google", onTheWay(ACTIVE, "mcrt-2"), [TLS, TLS, ""], ["", TLS, ""]],
    ["is served: the Secret goes", onTheWay(ACTIVE, "mcrt-1"), ["", TLS, ""], undefined],
  ])("during a change: it %s", (_, objects, during, finally_) => {
    const next = plan(google, objects);
    const [secrets, managed] = during;
    expect(presented(ingressOf(next))?.slice(0, 2)).toEqual([secrets, managed]);
    // This action sets nothing in the annotation: it is Google's controller's.
    expect(ingressOf(next).metadata.annotations).not.toHaveProperty([PRE_SHARED]);
    expect(presented(next.finalIngress)).toEqual(finally_);
    expect(orphansOf(next)).toEqual([`Secret ${TLS}`]);
  });

  test("is replaced by a new one when it failed for good", () => {
    const next = plan(google, [managedCertificate(TLS, GIVEN_UP), managedCertificate("others", GIVEN_UP)]);
    expect(next.givenUp?.metadata).toMatchObject({ name: TLS, uid: `uid-of-${TLS}` });
    expect(next.names.managedCertificate).toMatch(new RegExp(`^${TLS}-[0-9a-f]{8}$`));
    expect(presented(ingressOf(next))?.[1]).toBe(next.names.managedCertificate);
    expect(orphansOf(next)).toEqual([`ManagedCertificate ${TLS}`]);
  });

  test.each<[string, Record<string, string>, KubernetesObject[]]>([
    ["Google hasn't given up", google, [managedCertificate(TLS, PROVISIONING)]],
    ["another kind is to replace", INPUTS["self-managed"], [managedCertificate(TLS, GIVEN_UP)]],
    ["somebody else keeps", google, [managedCertificate("others", GIVEN_UP)]],
  ])("one that %s has not failed for good", (_, inputs, objects) => {
    expect(plan(inputs, objects).givenUp).toBeUndefined();
  });

  test("for another host is a second one; the first is deleted once the second is served", () => {
    const inputs = { ...google, host: "new.example.com" };
    const live = loadBalancerWith("google-managed");
    const first = plan(inputs, live);
    const name = first.names.managedCertificate ?? "";
    expect(name).toMatch(new RegExp(`^${TLS}-[0-9a-f]{8}$`));
    expect(presented(ingressOf(first))).toEqual(["", `${name},${TLS}`, ""]);
    expect(presented(first.finalIngress)).toEqual(["", name, ""]);
    expect(orphansOf(first)).toEqual([`ManagedCertificate ${TLS}`]);
    // The former host goes on being served, too.
    expect(hostsOf(ingressOf(first))).toEqual(["new.example.com", HOST]);
    expect(hostsOf(first.finalIngress)).toEqual(["new.example.com"]);
    expect(first.manifests).toContainEqual(
      expect.objectContaining({
        kind: "ManagedCertificate",
        metadata: { name, namespace: "default" },
        spec: { domains: ["new.example.com"] },
      }),
    );

    const certificate = managedCertificate(name, { certificateName: "mcrt-2", certificateStatus: "Active" }, [
      "new.example.com",
    ]);
    const settled = [certificate, applied(first.finalIngress ?? ingressOf(first), "mcrt-2")];
    const second = plan(inputs, settled);
    expect(second.names.managedCertificate).toBe(name);
    expect(presented(ingressOf(second))).toEqual(["", name, ""]);
    expect(second.finalIngress).toBeUndefined();
    expect(second.orphans).toEqual([]);
  });
});

describe("orphans", () => {
  test("a Secret is an orphan after a change of tls_secret", () => {
    const next = plan({ tls_secret: "other" }, loadBalancerWith("self-managed"), PAIR);
    expect(presented(ingressOf(next))).toEqual(["other", "", ""]);
    expect(orphansOf(next)).toEqual([`Secret ${TLS}`]);
  });

  test.each([
    [INPUTS["google-managed"], [`Secret ${TLS}`, `Secret ${AUTHORITY}`]],
    [INPUTS["pre-shared"], [`Secret ${TLS}`, `Secret ${AUTHORITY}`]],
    [INPUTS.secret, [`Secret ${TLS}`, `Secret ${AUTHORITY}`]],
    [{ tls_secret: "other" }, [`Secret ${TLS}`, `Secret ${AUTHORITY}`]],
    [INPUTS["self-managed"], []],
  ])("the authority of a certificate goes with it: %o", (inputs, orphans) => {
    const live = [...loadBalancerWith("self-managed"), secret(AUTHORITY, "milvus-gke-load-balancer")];
    expect(orphansOf(plan(inputs, live))).toEqual(orphans);
  });

  test("an authority goes when the inputs have a certificate; one of somebody else's stays", async () => {
    const { certificate, privateKey } = await selfSigned(HOST);
    const inputs = { tls_certificate: certificate, tls_private_key: privateKey };
    const orphans = (manager: string) =>
      orphansOf(plan(inputs, [...loadBalancerWith("self-managed"), secret(AUTHORITY, manager)]));
    expect(orphans("milvus-gke-load-balancer")).toEqual([`Secret ${AUTHORITY}`]);
    expect(orphans("kubectl")).toEqual([]);
  });

  test("objects of somebody else's are no orphans", () => {
    const foreign = [
      secret(TLS, "cert-manager"),
      liveObject({
        kind: "ManagedCertificate",
        metadata: {
          name: TLS,
          managedFields: [{ manager: "argocd", operation: "Apply", fieldsV1: { "f:spec": {} } }],
        },
        spec: { domains: [HOST] },
      }),
    ];
    expect(plan(INPUTS["pre-shared"], foreign).orphans).toEqual([]);
  });

  test("objects that other Ingresses in the namespace may use are no orphans", () => {
    const others = [
      managedCertificate("others"),
      managedCertificate("my-release-2-milvus-tls"),
      secret("others", "x"),
    ];
    expect(
      plan(INPUTS["pre-shared"], [...loadBalancerWith("self-managed"), ...others]).orphans,
    ).toMatchObject([{ kind: "Secret", namespace: "default", name: TLS, uid: `uid-of-${TLS}` }]);
  });

  test("another host replaces the former one at once if its certificate is served at once", () => {
    const next = plan({ ...INPUTS["pre-shared"], host: "new.example.com" }, loadBalancerWith("pre-shared"));
    expect(hostsOf(ingressOf(next))).toEqual(["new.example.com"]);
    expect(next.finalIngress).toBeUndefined();
  });

  test("objects that another Ingress names are no orphans", () => {
    const other = v.parse(Ingress, { metadata: { name: "other" }, spec: { tls: [{ secretName: TLS }] } });
    const live = [...loadBalancerWith("self-managed"), secret(AUTHORITY, "milvus-gke-load-balancer")];
    const seen = { ...observed({}, {}, live), otherIngresses: [other] };
    const next = planLoadBalancer(settings(INPUTS["pre-shared"]), seen, PORT);
    expect(orphansOf(next)).toEqual([]);
  });

  test("a run that ended before it replaced Google's certificate leaves an orphan", () => {
    const [certificate] = loadBalancerWith("google-managed");
    const inputs = INPUTS["self-managed"];
    const before = plan(inputs, loadBalancerWith("google-managed"), PAIR);
    const live = [secret(TLS, "milvus-gke-load-balancer"), applied(ingressOf(before), "mcrt-1")];
    const next = plan(inputs, certificate ? [...live, certificate] : live);
    expect(presented(ingressOf(next))).toEqual([TLS, "", ""]);
    expect(orphansOf(next)).toEqual([`ManagedCertificate ${TLS}`]);
  });

  test("a FrontendConfig is an orphan without frontend_config", () => {
    const inputs = { frontend_config: "sslPolicy: modern" };
    const config = liveObject({ kind: "FrontendConfig", metadata: { name: "my-release-frontendconfig" } });
    const live = [...loadBalancerWith("self-managed"), config];
    expect(kindsOf(plan(inputs, live))).toEqual(["BackendConfig", "FrontendConfig", "Ingress"]);
    expect(plan(inputs, live).orphans).toEqual([]);
    expect(kindsOf(plan({}, live))).toEqual(["BackendConfig", "Ingress"]);
    expect(orphansOf(plan({}, live))).toEqual(["FrontendConfig my-release-frontendconfig"]);
  });
});

test("the Ingress no longer names a missing certificate, which would hold up the others", () => {
  const [, ingress] = loadBalancerWith("self-managed");
  if (!ingress) throw new Error("there is no Ingress");
  expect(presented(ingressOf(plan(INPUTS["google-managed"], [ingress])))).toEqual(["", TLS, ""]);
});

describe("the manifests", () => {
  test("have the Secret only with a new certificate, and the Ingress last", () => {
    expect(kindsOf(plan({}, []))).toEqual(["BackendConfig", "Ingress"]);
    expect(kindsOf(plan({}, [], PAIR))).toEqual(["BackendConfig", "Secret", "Ingress"]);
    expect(kindsOf(plan({ ...INPUTS["google-managed"], frontend_config: "sslPolicy: x" }, []))).toEqual([
      "BackendConfig",
      "FrontendConfig",
      "ManagedCertificate",
      "Ingress",
    ]);
  });

  test("have a new authority before the certificate that it signs, each in a Secret of its own", () => {
    const seen = observed({}, {}, []);
    const certificate = { ...seen.certificate, newPair: PAIR, newAuthority: { ...PAIR, privateKey: "ca" } };
    const { manifests } = planLoadBalancer(settings({}), { ...seen, certificate }, PORT);
    const secrets = manifests.filter(({ kind }) => kind === "Secret");
    expect(secrets).toMatchObject([
      { metadata: { name: AUTHORITY }, data: { "tls.key": Buffer.from("ca").toString("base64") } },
      { metadata: { name: TLS }, data: { "tls.key": Buffer.from("k").toString("base64") } },
    ]);
  });

  test("have the names of the inputs and of the Service that was found", () => {
    const inputs = {
      release: "r",
      namespace: "ns",
      ingress_name: "i",
      backend_config_name: "b",
      tls_secret: "t",
    };
    expect(plan(inputs, []).names).toEqual({
      namespace: "ns",
      host: HOST,
      ingress: "i",
      backendConfig: "b",
      frontendConfig: "r-frontendconfig",
      ingressClass: "gce",
      tlsSecret: "t",
      authoritySecret: "t-ca",
      managedCertificate: undefined,
      service: "my-release-milvus",
    });
    expect(plan({ ...inputs, load_balancer: "internal" }, []).names.ingressClass).toBe("gce-internal");
    expect(plan({ ...inputs, ...INPUTS["google-managed"] }, []).names).toMatchObject({
      tlsSecret: undefined,
      authoritySecret: undefined,
      managedCertificate: "t",
    });
    expect(plan({ ...inputs, ...INPUTS["pre-shared"] }, []).names).toMatchObject({
      tlsSecret: undefined,
      managedCertificate: undefined,
    });
  });

  test("an object of somebody else's is refused, and adopted with adopt: true", () => {
    const foreign = secret(TLS, "cert-manager");
    expect(() => plan({}, [foreign], PAIR)).toThrow(`Secret default/${TLS} belongs to somebody else`);
    expect(plan({ adopt: "true" }, [foreign], PAIR).adopted).toEqual([foreign]);
    // Only what is applied is asked about.
    expect(plan({}, [foreign]).adopted).toEqual([]);
  });
});
