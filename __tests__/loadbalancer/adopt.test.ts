import { describe, expect, test } from "vitest";
import type { Manifest } from "../../src/kubernetes/api.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { adoptOrRefuse } from "../../src/loadbalancer/adopt.ts";
import { keptOf } from "../../src/loadbalancer/keep-settings.ts";
import { makeAuthority } from "../../src/loadbalancer/make-certificate.ts";
import { certificateWith, DAY, selfSigned } from "../support/certificates.ts";
import { HOST, liveObject, settings } from "../support/observed.ts";

/** The names of all objects are `x`. */
const SETTINGS = settings({ ingress_name: "x", backend_config_name: "x", tls_secret: "x" });

/** Decides about objects that have more than those of Milvus's page. */
function decide(objects: readonly KubernetesObject[], manifests: readonly Manifest[], adopt: boolean) {
  const kept = keptOf(SETTINGS, "my-release-milvus", objects, Date.now());
  return adoptOrRefuse(objects, manifests, { host: HOST, authoritySecret: "x-ca" }, kept, adopt);
}

const by = (manager: string, operation = "Update") => [
  { manager, operation, fieldsV1: { "f:spec": {}, "f:data": {} } },
];
const PERSON = by("kubectl-client-side-apply");

/** An object `x` whose content a person, or another program, has set. */
function live(kind: string, content: object, metadata: object = {}) {
  return liveObject({
    kind,
    metadata: { name: "x", managedFields: PERSON, ...metadata },
    ...content,
  });
}

function manifest(kind: string): Manifest {
  return { apiVersion: "v1", kind, metadata: { name: "x", namespace: "default" } };
}

const path = (service: string) => ({
  path: "/",
  backend: { service: { name: service, port: { number: 1 } } },
});
const rule = (host: string | undefined, ...services: string[]) => ({
  host,
  http: { paths: services.map(path) },
});
const rules = (...all: object[]) => ({ spec: { rules: all } });

const base64 = (text: string) => Buffer.from(text).toString("base64");
const { certificate: ownAuthority } = await selfSigned(HOST);
const from = Date.now() - DAY;
const authority = await certificateWith({ subject: "CN=CA", days: 900, from, isAuthority: true });
const issued = await certificateWith({ subject: `CN=${HOST}`, names: [HOST], days: 90, from }, authority);
const MILVUS = rules(rule(HOST, "my-release-milvus"));
const ofClass = (name: string) => ({ annotations: { "kubernetes.io/ingress.class": name } });

describe("objects made as Milvus's page says are taken over", () => {
  test.each([
    ["the Ingress", live("Ingress", rules(rule(HOST, "my-release-milvus")))],
    ["an Ingress for every host", live("Ingress", rules(rule(undefined, "my-release-milvus")))],
    ["an Ingress without rules", live("Ingress", { spec: {} })],
    ["an Ingress of Google's class", live("Ingress", MILVUS, ofClass("gce"))],
    [
      "an Ingress with Milvus as its default",
      live("Ingress", {
        spec: { ingressClassName: "gce", defaultBackend: path("my-release-milvus").backend },
      }),
    ],
    [
      "a self-signed certificate",
      live("Secret", { data: { "tls.crt": base64(ownAuthority), "tls.key": "YQ==" } }),
    ],
    ["the BackendConfig", live("BackendConfig", { spec: { healthCheck: { port: 9091 } } })],
    ["the Secret", live("Secret", { data: { "tls.crt": "YQ==", "tls.key": "YQ==" } })],
    ["the ManagedCertificate", live("ManagedCertificate", { spec: { domains: [HOST] } })],
    [
      "a BackendConfig made with kubectl edit",
      live("BackendConfig", { spec: { timeoutSec: 60 } }, { managedFields: by("kubectl-edit") }),
    ],
  ])("%s", (_, object) => {
    expect(decide([object], [manifest(object.kind)], false)).toEqual([object]);
  });
});

describe("objects of somebody else are refused, and taken over with adopt", () => {
  const NOT_AS_ON_THE_PAGE = "it is not as Milvus's page describes it";
  test.each([
    [
      "another host's Ingress",
      live("Ingress", rules(rule("other.example.com", "my-release-milvus"))),
      NOT_AS_ON_THE_PAGE,
    ],
    ["an Ingress of another Service", live("Ingress", rules(rule(HOST, "attu"))), NOT_AS_ON_THE_PAGE],
    [
      "an Ingress with another Service beside Milvus",
      live("Ingress", rules(rule(HOST, "my-release-milvus", "attu"))),
      NOT_AS_ON_THE_PAGE,
    ],
    [
      "an Ingress with another host beside it",
      live("Ingress", rules(rule(HOST, "my-release-milvus"), rule("b.example.com", "my-release-milvus"))),
      NOT_AS_ON_THE_PAGE,
    ],
    [
      "an Ingress with another default",
      live("Ingress", { spec: { defaultBackend: path("shop").backend } }),
      NOT_AS_ON_THE_PAGE,
    ],
    [
      "an Ingress with a bucket as its default",
      live("Ingress", { spec: { defaultBackend: { resource: { kind: "Bucket", name: "b" } } } }),
      NOT_AS_ON_THE_PAGE,
    ],
    ["an Ingress of another class", live("Ingress", MILVUS, ofClass("nginx")), NOT_AS_ON_THE_PAGE],
    [
      "an internal Ingress that would become external",
      live("Ingress", MILVUS, ofClass("gce-internal")),
      "kubernetes.io/ingress.class",
    ],
    [
      "an Ingress of another IngressClass",
      live("Ingress", { spec: { ...MILVUS.spec, ingressClassName: "nginx" } }),
      NOT_AS_ON_THE_PAGE,
    ],
    [
      "a certificate that an authority has signed",
      live("Secret", { data: { "tls.crt": base64(issued.certificate), "tls.key": "YQ==" } }),
      NOT_AS_ON_THE_PAGE,
    ],
    [
      "a BackendConfig with more in it",
      live("BackendConfig", { spec: { iap: { enabled: true } } }),
      NOT_AS_ON_THE_PAGE,
    ],
    ["a BackendConfig without a spec", live("BackendConfig", {}), NOT_AS_ON_THE_PAGE],
    [
      "a Secret with more in it",
      live("Secret", { data: { "tls.crt": "YQ==", password: "YQ==" } }),
      NOT_AS_ON_THE_PAGE,
    ],
    [
      "a ManagedCertificate for more hosts",
      live("ManagedCertificate", { spec: { domains: [HOST, "b.example.com"] } }),
      NOT_AS_ON_THE_PAGE,
    ],
    ["any FrontendConfig", live("FrontendConfig", { spec: {} }), NOT_AS_ON_THE_PAGE],
    [
      "a Secret of Helm",
      live("Secret", { data: {} }, { managedFields: by("helm", "Apply") }),
      "its fields are managed by helm",
    ],
    [
      "a Secret of cert-manager",
      live("Secret", { data: {} }, { managedFields: by("cert-manager-certificates-issuing", "Apply") }),
      "its fields are managed by cert-manager-certificates-issuing",
    ],
    [
      "a Secret with an owner",
      live("Secret", { data: {} }, { ownerReferences: [{ kind: "Certificate", name: "c" }] }),
      "its owner is Certificate c",
    ],
    [
      "a Secret whose owner is unknown",
      live("Secret", { data: {} }, { managedFields: [] }),
      "nothing in it tells who made it",
    ],
  ])("%s", (_, object, why) => {
    const decided = (adopt: boolean) => decide([object], [manifest(object.kind)], adopt);
    expect(() => decided(false)).toThrow(
      `${object.kind} default/x belongs to somebody else; nothing was changed.\nWhy: `,
    );
    expect(() => decided(false)).toThrow(why);
    expect(() => decided(false)).toThrow("set adopt: true");
    expect(decided(true)).toEqual([object]);
  });

  test.each([
    ["Ingress", rules(rule("b.example.com", "a")), "or choose another name with ingress_name."],
    ["BackendConfig", {}, "or choose another name with backend_config_name."],
    ["ManagedCertificate", { spec: { domains: ["b"] } }, "or choose another name with tls_secret."],
    [
      "Secret",
      { data: { a: "" } },
      "or choose another name with tls_secret, or set certificate: secret to use it as it is.",
    ],
    [
      "FrontendConfig",
      {},
      "(what it doesn't set itself stays, unless an input says otherwise; mode: plan shows every change).",
    ],
  ])("the error names a way out for a %s", (kind, content, way) => {
    expect(() => decide([live(kind, content)], [manifest(kind)], false)).toThrow(way);
  });

  test("all of them are named at once", () => {
    const objects = [
      live("BackendConfig", { spec: { iap: {} } }),
      live("Ingress", rules(rule(HOST, "attu"))),
    ];
    const manifests = objects.map(({ kind }) => manifest(kind));
    expect(() => decide(objects, manifests, false)).toThrow(
      /BackendConfig default\/x and Ingress default\/x belong to somebody else.*\nWhy: BackendConfig default\/x: .*spec.iap\nIngress default\/x: /,
    );
  });

  test("nobody's Secret is taken for this action's authority, not even one that the page's reader could have", () => {
    const data = { "tls.crt": base64(ownAuthority), "tls.key": "YQ==" };
    const secret = live("Secret", { data }, { name: "x-ca" });
    const wanted = { ...manifest("Secret"), metadata: secret.metadata };
    expect(() => decide([secret], [wanted], false)).toThrow(
      /^Secret default\/x-ca belongs to somebody else; nothing was changed\.\n.*\n.*or choose another name with tls_secret\.$/,
    );
    expect(decide([secret], [wanted], true)).toEqual([secret]);
  });

  test("an authority of this action's that a person restored is taken over, also one for a former host", async () => {
    for (const host of [HOST, "former.example.com"]) {
      const { certificate, privateKey } = await makeAuthority(host, Date.now());
      const data = { "tls.crt": base64(certificate), "tls.key": base64(privateKey) };
      const secret = live("Secret", { data }, { name: "x-ca" });
      const wanted = { ...manifest("Secret"), metadata: secret.metadata };
      expect(decide([secret], [wanted], false)).toEqual([secret]);
    }
  });

  test("the error doesn't show what a Secret holds", () => {
    const secret = live("Secret", { data: { password: "c2VjcmV0LXBhc3N3b3Jk" } });
    expect(() => decide([secret], [manifest("Secret")], false)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("c2Vjc") }),
    );
  });
});

describe("nothing is taken over", () => {
  const foreign = live("Ingress", rules(rule("b.example.com", "attu")));
  test.each([
    ["if no object exists", [], [manifest("Ingress")]],
    [
      "if this action made the object",
      [liveObject({ kind: "Ingress", metadata: { name: "x" } })],
      [manifest("Ingress")],
    ],
    ["if this run doesn't apply the object", [foreign], [manifest("BackendConfig")]],
    [
      "if the object has another name",
      [{ ...foreign, metadata: { ...foreign.metadata, name: "y" } }],
      [manifest("Ingress")],
    ],
  ])("%s", (_, objects, manifests) => {
    expect(decide(objects, manifests, false)).toEqual([]);
    expect(decide(objects, manifests, true)).toEqual([]);
  });
});
