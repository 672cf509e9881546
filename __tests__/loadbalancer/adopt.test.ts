import { describe, expect, test } from "vitest";
import type { Manifest } from "../../src/kubernetes/api.ts";
import { adoptOrRefuse } from "../../src/loadbalancer/adopt.ts";
import { makeCertificate } from "../../src/loadbalancer/make-certificate.ts";
import type { LoadBalancerNames } from "../../src/loadbalancer/manifests.ts";
import { certificateWith, DAY } from "../support/certificates.ts";
import { HOST, liveObject } from "../support/observed.ts";

const NAMES: LoadBalancerNames = {
  namespace: "default",
  host: HOST,
  ingress: "x",
  backendConfig: "x",
  frontendConfig: "x",
  tlsSecret: "x",
  managedCertificate: "x",
  service: "my-release-milvus",
};

const by = (manager: string, operation = "Update") => [
  { manager, operation, fieldsV1: { "f:spec": {}, "f:data": {} } },
];
const PERSON = by("kubectl-client-side-apply");

/** An object of the name `x` with what a person, or somebody else, has put into it. */
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
const { certificate: selfSigned } = await makeCertificate(HOST, Date.now());
const from = Date.now() - DAY;
const authority = await certificateWith({ subject: "CN=CA", days: 900, from, isAuthority: true });
const issued = await certificateWith({ subject: `CN=${HOST}`, names: [HOST], days: 90, from }, authority);
const MILVUS = rules(rule(HOST, "my-release-milvus"));
const ofClass = (name: string) => ({ annotations: { "kubernetes.io/ingress.class": name } });

describe("what Milvus's page has its readers make is taken over", () => {
  test.each([
    ["the Ingress", live("Ingress", rules(rule(HOST, "my-release-milvus")))],
    ["an Ingress for every host", live("Ingress", rules(rule(undefined, "my-release-milvus")))],
    ["an Ingress without rules", live("Ingress", { spec: {} })],
    ["an Ingress of Google's class", live("Ingress", MILVUS, ofClass("gce"))],
    ["an Ingress of the internal class", live("Ingress", MILVUS, ofClass("gce-internal"))],
    [
      "an Ingress with Milvus as its default",
      live("Ingress", {
        spec: { ingressClassName: "gce", defaultBackend: path("my-release-milvus").backend },
      }),
    ],
    [
      "a self-signed certificate",
      live("Secret", { data: { "tls.crt": base64(selfSigned), "tls.key": "YQ==" } }),
    ],
    ["the BackendConfig", live("BackendConfig", { spec: { healthCheck: { port: 9091 } } })],
    ["the Secret", live("Secret", { data: { "tls.crt": "YQ==", "tls.key": "YQ==" } })],
    ["the ManagedCertificate", live("ManagedCertificate", { spec: { domains: [HOST] } })],
    [
      "what kubectl create or edit has made",
      live("BackendConfig", { spec: { timeoutSec: 60 } }, { managedFields: by("kubectl-edit") }),
    ],
  ])("%s", (_, object) => {
    expect(adoptOrRefuse([object], [manifest(object.kind)], NAMES, false)).toEqual([object]);
  });
});

describe("what serves something else, or is somebody else's, is refused, and taken over with adopt", () => {
  const NOT_OF_THE_PAGE = "it is not as Milvus's page has it made";
  test.each([
    [
      "another host's Ingress",
      live("Ingress", rules(rule("other.example.com", "my-release-milvus"))),
      NOT_OF_THE_PAGE,
    ],
    ["an Ingress of another Service", live("Ingress", rules(rule(HOST, "attu"))), NOT_OF_THE_PAGE],
    [
      "an Ingress with another Service beside Milvus",
      live("Ingress", rules(rule(HOST, "my-release-milvus", "attu"))),
      NOT_OF_THE_PAGE,
    ],
    [
      "an Ingress with another host beside it",
      live("Ingress", rules(rule(HOST, "my-release-milvus"), rule("b.example.com", "my-release-milvus"))),
      NOT_OF_THE_PAGE,
    ],
    [
      "an Ingress with another default",
      live("Ingress", { spec: { defaultBackend: path("shop").backend } }),
      NOT_OF_THE_PAGE,
    ],
    [
      "an Ingress with a bucket as its default",
      live("Ingress", { spec: { defaultBackend: { resource: { kind: "Bucket", name: "b" } } } }),
      NOT_OF_THE_PAGE,
    ],
    ["an Ingress of another class", live("Ingress", MILVUS, ofClass("nginx")), NOT_OF_THE_PAGE],
    [
      "an Ingress of another IngressClass",
      live("Ingress", { spec: { ...MILVUS.spec, ingressClassName: "nginx" } }),
      NOT_OF_THE_PAGE,
    ],
    [
      "a certificate that an authority has signed",
      live("Secret", { data: { "tls.crt": base64(issued.certificate), "tls.key": "YQ==" } }),
      NOT_OF_THE_PAGE,
    ],
    [
      "a BackendConfig with more in it",
      live("BackendConfig", { spec: { iap: { enabled: true } } }),
      NOT_OF_THE_PAGE,
    ],
    ["a BackendConfig without a spec", live("BackendConfig", {}), NOT_OF_THE_PAGE],
    [
      "a Secret with more in it",
      live("Secret", { data: { "tls.crt": "YQ==", password: "YQ==" } }),
      NOT_OF_THE_PAGE,
    ],
    [
      "a ManagedCertificate for more hosts",
      live("ManagedCertificate", { spec: { domains: [HOST, "b.example.com"] } }),
      NOT_OF_THE_PAGE,
    ],
    ["any FrontendConfig", live("FrontendConfig", { spec: {} }), NOT_OF_THE_PAGE],
    [
      "Helm's",
      live("Secret", { data: {} }, { managedFields: by("helm", "Apply") }),
      "its fields are managed by helm",
    ],
    [
      "cert-manager's",
      live("Secret", { data: {} }, { managedFields: by("cert-manager-certificates-issuing", "Apply") }),
      "its fields are managed by cert-manager-certificates-issuing",
    ],
    [
      "an owner's",
      live("Secret", { data: {} }, { ownerReferences: [{ kind: "Certificate", name: "c" }] }),
      "its owner is Certificate c",
    ],
    [
      "nobody's that is known",
      live("Secret", { data: {} }, { managedFields: [] }),
      "nothing in it tells who has made it",
    ],
  ])("%s", (_, object, why) => {
    const decide = (adopt: boolean) => adoptOrRefuse([object], [manifest(object.kind)], NAMES, adopt);
    expect(() => decide(false)).toThrow(
      `${object.kind} default/x belongs to somebody else; nothing was changed.\nWhy: `,
    );
    expect(() => decide(false)).toThrow(why);
    expect(() => decide(false)).toThrow("set adopt: true");
    expect(decide(true)).toEqual([object]);
  });

  test.each([
    ["Ingress", rules(rule("b.example.com", "a")), "or give this action's another name (ingress_name)."],
    ["BackendConfig", {}, "or give this action's another name (backend_config_name)."],
    ["ManagedCertificate", { spec: { domains: ["b"] } }, "or give this action's another name (tls_secret)."],
    [
      "Secret",
      { data: { a: "" } },
      "or give this action's another name (tls_secret), or set certificate: secret to use it as it is.",
    ],
    ["FrontendConfig", {}, "(what it doesn't know in it is removed)."],
  ])("a way out for a %s", (kind, content, way) => {
    expect(() => adoptOrRefuse([live(kind, content)], [manifest(kind)], NAMES, false)).toThrow(way);
  });

  test("what a Secret holds isn't told", () => {
    const secret = live("Secret", { data: { password: "c2VjcmV0LXBhc3N3b3Jk" } });
    expect(() => adoptOrRefuse([secret], [manifest("Secret")], NAMES, false)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("c2Vjc") }),
    );
  });
});

describe("nothing is to be taken over", () => {
  const foreign = live("Ingress", rules(rule("b.example.com", "attu")));
  test.each([
    ["where there is nothing", [], [manifest("Ingress")]],
    [
      "of what this action has made",
      [liveObject({ kind: "Ingress", metadata: { name: "x" } })],
      [manifest("Ingress")],
    ],
    ["of what this run doesn't apply", [foreign], [manifest("BackendConfig")]],
    [
      "of another name",
      [{ ...foreign, metadata: { ...foreign.metadata, name: "y" } }],
      [manifest("Ingress")],
    ],
  ])("%s", (_, objects, manifests) => {
    expect(adoptOrRefuse(objects, manifests, NAMES, false)).toEqual([]);
    expect(adoptOrRefuse(objects, manifests, NAMES, true)).toEqual([]);
  });
});
