import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import type { KeyPair } from "../../src/loadbalancer/certificate.ts";
import { keptOf, withKept } from "../../src/loadbalancer/keep-settings.ts";
import { makeAuthority, makeCertificate } from "../../src/loadbalancer/make-certificate.ts";
import {
  backendConfigManifest,
  ingressManifest,
  type LoadBalancerNames,
  tlsSecretManifest,
} from "../../src/loadbalancer/manifests.ts";
import { referencesOf } from "../../src/loadbalancer/references.ts";
import { selfSigned } from "../support/certificates.ts";
import { HOST, liveObject, settings } from "../support/observed.ts";

const NOTE = "milvus-gke-load-balancer/kept";
const STATIC = "kubernetes.io/ingress.global-static-ip-name";
const FRONTEND = "networking.gke.io/v1beta1.FrontendConfig";
const PRE_SHARED = "ingress.gcp.kubernetes.io/pre-shared-cert";
const MANAGED = "networking.gke.io/managed-certificates";
const ALLOW_HTTP = "kubernetes.io/ingress.allow-http";
const MILVUS = "my-release-milvus";
const NAMES: LoadBalancerNames = {
  namespace: "default",
  host: HOST,
  ingress: MILVUS,
  backendConfig: "my-release-backendconfig",
  frontendConfig: "my-release-frontendconfig",
  ingressClass: "gce",
  tlsSecret: "my-release-milvus-tls",
  authoritySecret: undefined,
  managedCertificate: undefined,
  service: MILVUS,
};

const path = (service: string, at = "/") => ({
  path: at,
  pathType: "Prefix",
  backend: { service: { name: service, port: { number: 1 } } },
});
const rule = (host: string, ...paths: object[]) => ({ host, http: { paths } });
const base64 = (text: string) => Buffer.from(text).toString("base64");
const { certificate, privateKey } = await selfSigned(HOST);
const data = { "tls.crt": base64(certificate), "tls.key": base64(privateKey) };

/** The Ingress of Milvus's page as a person has made it, with these additions. */
function handMade(annotations: Record<string, string> = {}, spec: object = {}): KubernetesObject {
  const names = Object.keys(annotations).map((name) => [`f:${name}`, {}]);
  const fieldsV1 = { "f:spec": {}, "f:metadata": { "f:annotations": Object.fromEntries(names) } };
  return liveObject({
    kind: "Ingress",
    metadata: {
      name: MILVUS,
      annotations,
      managedFields: [{ manager: "kubectl-client-side-apply", operation: "Update", fieldsV1 }],
    },
    spec: { rules: [rule(HOST, path(MILVUS))], ...spec },
  });
}

/** The same Ingress once this action has taken it over. */
function takenOver({ metadata, ...content }: KubernetesObject, noted: string): KubernetesObject {
  const annotations = { ...metadata.annotations, [NOTE]: noted };
  return liveObject({ ...content, metadata: { name: MILVUS, annotations } });
}

function kept(objects: readonly KubernetesObject[], inputs: Record<string, string> = {}) {
  return keptOf(settings(inputs), MILVUS, objects, Date.now());
}

function manifestOf(objects: readonly KubernetesObject[], inputs: Record<string, string> = {}) {
  const given = settings(inputs);
  const found = keptOf(given, MILVUS, objects, Date.now());
  const port = { name: "milvus", port: 19530 };
  const certificates = found.ingress.certificates;
  return ingressManifest(NAMES, port, withKept(given, found), certificates, [], found.ingress);
}

const OTHER = rule("other.example.com", path("shop"));
const CORP = { tls: [{ hosts: [HOST], secretName: "corp-tls" }] };
const CORP_SECRET = liveObject({ kind: "Secret", metadata: { name: "corp-tls" }, data });
const ACTIVE = liveObject({
  kind: "ManagedCertificate",
  metadata: { name: "corp" },
  spec: { domains: [HOST, "b.example.com"] },
  status: { certificateStatus: "Active", certificateName: "mcrt-1" },
});

describe("what a person's Ingress has beyond Milvus's page needs consent and stays", () => {
  test.each<[what: string, ingress: KubernetesObject, names: string[], part: object]>([
    [
      "a reserved address",
      handMade({ [STATIC]: "corp" }),
      [STATIC],
      { metadata: { annotations: { [STATIC]: "corp" } } },
    ],
    [
      "a FrontendConfig, with the open port 80 from which it redirects",
      handMade({ [FRONTEND]: "corp" }),
      [FRONTEND, ALLOW_HTTP],
      { metadata: { annotations: { [FRONTEND]: "corp", [ALLOW_HTTP]: "true" } } },
    ],
    [
      "port 80 that was opened on purpose",
      handMade({ [ALLOW_HTTP]: "true" }),
      [ALLOW_HTTP],
      { metadata: { annotations: { [ALLOW_HTTP]: "true" } } },
    ],
    [
      "certificates at Google",
      handMade({ [PRE_SHARED]: "corp" }),
      [PRE_SHARED],
      { metadata: { annotations: { [PRE_SHARED]: "corp" } } },
    ],
    [
      "managed certificates",
      handMade({ [MANAGED]: "corp" }),
      [MANAGED],
      { metadata: { annotations: { [MANAGED]: "corp" } } },
    ],
    [
      "an annotation of another controller's",
      handMade({ "example.com/owner": "me" }),
      ["example.com/owner"],
      { metadata: { annotations: { "example.com/owner": "me" } } },
    ],
    ["another Secret", handMade({}, CORP), ["spec.tls"], { spec: CORP }],
    [
      "another host",
      handMade({}, { rules: [rule(HOST, path(MILVUS)), OTHER] }),
      ["spec.rules[other.example.com]"],
      { spec: { rules: [{ host: HOST }, OTHER] } },
    ],
    [
      "another path",
      handMade({}, { rules: [rule(HOST, path(MILVUS, "/*"), path("attu", "/attu"))] }),
      [`spec.rules[${HOST}]`],
      { spec: { rules: [{ http: { paths: [{ path: "/" }, path("attu", "/attu")] } }] } },
    ],
    [
      "another default",
      handMade({}, { defaultBackend: path("shop").backend }),
      ["spec.defaultBackend"],
      { spec: { defaultBackend: path("shop").backend } },
    ],
  ])("%s", (_, object, names, part) => {
    const { ingress } = kept([object]);
    expect(ingress).toMatchObject({ names, beyond: names });
    const manifest = manifestOf([object]);
    expect(manifest).toMatchObject(part);
    expect(manifest.metadata.annotations?.[NOTE]).toBe(names.join(","));
    // In later runs the Ingress is this action's own.
    const later = [takenOver({ ...object, spec: manifest.spec }, names.join(","))];
    expect(kept(later).ingress).toMatchObject({ names, beyond: [] });
    expect(manifestOf(later)).toEqual(manifest);
  });

  test.each<[what: string, ingress: KubernetesObject]>([
    ["as the page makes it", handMade()],
    ["with Google's own annotations", handMade({ "ingress.kubernetes.io/backends": "{}" })],
    ["that kubectl keeps a note in", handMade({ "kubectl.kubernetes.io/last-applied-configuration": "{}" })],
    [
      "with the page's managed certificate, which isn't Active",
      handMade({ [MANAGED]: "my-release-milvus-tls" }),
    ],
    ["with a closed port 80", handMade({ [ALLOW_HTTP]: "false" })],
    ["with the page's Secret", handMade({}, { tls: [{ secretName: "my-release-milvus-tls" }] })],
  ])("not one %s", (_, object) => {
    expect(kept([object]).ingress).toMatchObject({ names: [], beyond: [] });
  });

  test("labels stay without consent, but for those that say whose it is", () => {
    const object = handMade();
    const labels = { team: "search", "app.kubernetes.io/managed-by": "Helm" };
    const labelled = { ...object, metadata: { ...object.metadata, labels } };
    expect(kept([labelled]).ingress).toMatchObject({ names: ["metadata.labels.team"], beyond: [] });
    expect(manifestOf([labelled]).metadata.labels).toEqual({ team: "search" });
  });

  test("annotations that taking over leaves alone need no consent", () => {
    const object = handMade();
    const annotations = { "field.cattle.io/publicEndpoints": "[]" };
    expect(kept([{ ...object, metadata: { ...object.metadata, annotations } }]).ingress.beyond).toEqual([]);
  });
});

test("whatever a person has combined stays, in all later runs", () => {
  const annotations = {
    [STATIC]: "corp",
    [FRONTEND]: "corp",
    [PRE_SHARED]: "corp",
    [MANAGED]: "corp",
    "a.b/c": "d",
  };
  const rules = [rule(HOST, path(MILVUS), path("attu", "/attu")), OTHER];
  const spec = { ...CORP, rules, defaultBackend: path("shop").backend };
  const some = <T extends object>(all: T) =>
    fc.subarray(Object.entries(all)).map((part) => Object.fromEntries(part));
  fc.assert(
    fc.property(some(annotations), some(spec), (one, other) => {
      const object = handMade(one, other);
      const manifest = manifestOf([object]);
      // The path to Milvus is this action's own.
      const own = { host: HOST, http: { paths: [{ path: "/" }, path("attu", "/attu")] } };
      const routed = "rules" in other && { rules: [own, OTHER] };
      const kept = { metadata: { annotations: one }, spec: { ...other, ...routed } };
      expect(manifest).toMatchObject(kept);
      const later = takenOver(
        { ...object, spec: manifest.spec },
        manifest.metadata.annotations?.[NOTE] ?? "",
      );
      expect(manifestOf([later])).toEqual(manifest);
    }),
  );
});

describe("an input that says otherwise wins", () => {
  test.each<[what: string, ingress: KubernetesObject, inputs: Record<string, string>, beyond: string[]]>([
    ["static_ip_name: another", handMade({ [STATIC]: "corp" }), { static_ip_name: "new" }, [STATIC]],
    ["static_ip_name: the same", handMade({ [STATIC]: "corp" }), { static_ip_name: "corp" }, []],
    ["frontend_config", handMade({ [FRONTEND]: "corp" }), { frontend_config: "sslPolicy: p" }, [FRONTEND]],
    ["allow_http", handMade({ [ALLOW_HTTP]: "true" }), { allow_http: "false" }, [ALLOW_HTTP]],
    ["certificate", handMade({}, CORP), { certificate: "self-managed" }, ["spec.tls"]],
    ["tls_secret: the same", handMade({}, CORP), { certificate: "secret", tls_secret: "corp-tls" }, []],
    [
      "pre_shared_certificates: the same",
      handMade({ [PRE_SHARED]: "corp" }),
      { certificate: "pre-shared", pre_shared_certificates: "corp" },
      [],
    ],
    [
      "load_balancer",
      handMade({ [STATIC]: "corp", "kubernetes.io/ingress.class": "gce" }),
      { load_balancer: "internal", location: "us-central1" },
      [STATIC, "kubernetes.io/ingress.class"],
    ],
  ])("%s", (_, object, inputs, beyond) => {
    expect(kept([object], inputs).ingress).toMatchObject({ names: [], beyond });
  });
});

describe("the certificate that stays is the one to prove", () => {
  const effective = (objects: readonly KubernetesObject[], inputs: Record<string, string> = {}) => {
    const given = settings(inputs);
    const { certificate, tlsSecret } = withKept(given, keptOf(given, MILVUS, objects, Date.now()));
    return { kind: certificate.kind, tlsSecret };
  };
  const own = "my-release-milvus-tls";

  test.each<[what: string, objects: KubernetesObject[], kind: string, tlsSecret: string]>([
    ["of a Secret", [handMade({}, CORP), CORP_SECRET], "secret", "corp-tls"],
    ["of a Secret that isn't there: this action's own beside it", [handMade({}, CORP)], "self-managed", own],
    ["at Google", [handMade({ [PRE_SHARED]: "corp" })], "pre-shared", own],
    ["that Google manages and has issued", [handMade({ [MANAGED]: "corp" }), ACTIVE], "google-managed", own],
    ["that Google hasn't issued", [handMade({ [MANAGED]: "corp" })], "self-managed", own],
  ])("%s", (_, objects, kind, tlsSecret) => {
    expect(effective(objects)).toEqual({ kind, tlsSecret });
  });

  test("this action's own goes beside one for other hosts", () => {
    const { ingress: found } = kept([handMade({}, CORP)]);
    const secrets = [own, ...found.certificates.secrets];
    const manifest = ingressManifest(
      NAMES,
      { name: "milvus", port: 1 },
      settings(),
      { ...referencesOf(undefined), secrets },
      [],
      found,
    );
    expect(manifest.spec).toMatchObject({ tls: [...CORP.tls, { hosts: [HOST], secretName: own }] });
  });
});

test("the chart's own Ingress goes with all that it has", () => {
  const object = handMade({ [STATIC]: "corp" }, CORP);
  const annotations = { ...object.metadata.annotations, "meta.helm.sh/release-name": "my-release" };
  const { ingress } = kept([{ ...object, metadata: { ...object.metadata, annotations } }]);
  expect(ingress).toMatchObject({ names: [], certificates: { secrets: [] }, serving: undefined });
});

test("what was this action's own, from earlier inputs, goes with them", () => {
  const ours = takenOver(handMade({ [STATIC]: "former", [FRONTEND]: "former" }, CORP), "");
  expect(kept([ours]).ingress).toMatchObject({ names: [], beyond: [] });
});

describe("a person's BackendConfig", () => {
  const PERSON = [{ manager: "kubectl-edit", operation: "Update", fieldsV1: { "f:spec": {} } }];
  const made = (spec: object) =>
    liveObject({
      kind: "BackendConfig",
      metadata: { name: "my-release-backendconfig", managedFields: PERSON },
      spec,
    });
  const specOf = (objects: readonly KubernetesObject[], inputs: Record<string, string> = {}) => {
    const given = settings(inputs);
    const found = keptOf(given, MILVUS, objects, Date.now());
    return backendConfigManifest(NAMES, withKept(given, found), found.backendConfig);
  };
  const securityPolicy = { name: "corp" };

  test("keeps its policy, which the note says, and gets the health check that Milvus needs", () => {
    const object = made({ securityPolicy, healthCheck: { port: 80 }, timeoutSec: 40 });
    expect(kept([object]).backendConfig.beyond).toEqual(["spec.securityPolicy"]);
    const manifest = specOf([object]);
    expect(manifest).toMatchObject({
      metadata: { annotations: { [NOTE]: "spec.securityPolicy" } },
      spec: { securityPolicy, timeoutSec: 3600, healthCheck: { port: 9091 } },
    });
    const later = liveObject({ ...object, spec: manifest.spec, metadata: manifest.metadata });
    expect(specOf([later])).toEqual(manifest);
  });

  test.each([
    ["another one in backend_config", { backend_config: "securityPolicy: {name: new}" }, { name: "new" }, 1],
    ["the same in backend_config", { backend_config: "securityPolicy: {name: corp}" }, securityPolicy, 0],
  ])("%s wins", (_, inputs, wanted, consents) => {
    const object = made({ securityPolicy });
    expect(specOf([object], inputs).spec).toMatchObject({ securityPolicy: wanted });
    expect(kept([object], inputs).backendConfig).toMatchObject({ names: [] });
    expect(kept([object], inputs).backendConfig.beyond).toHaveLength(consents);
  });

  test("gives its policy up for that of allowed_ranges, with consent", () => {
    const found = kept([made({ securityPolicy })], { allowed_ranges: "203.0.113.0/24" }).backendConfig;
    expect(found).toMatchObject({ names: [], spec: {}, beyond: ["spec.securityPolicy"] });
  });

  test("loses Cloud CDN, which breaks gRPC", () => {
    const object = made({ cdn: { enabled: true } });
    expect(kept([object]).backendConfig).toMatchObject({ names: [], beyond: ["spec.cdn"] });
  });
});

test("a person's Secret keeps what it holds beside the certificate, and its type", () => {
  const secret = liveObject({
    kind: "Secret",
    metadata: {
      name: "my-release-milvus-tls",
      managedFields: [{ manager: "kubectl-create", operation: "Update", fieldsV1: { "f:data": {} } }],
    },
    type: "Opaque",
    data: { "tls.crt": "YQ==", password: "Yg==" },
  });
  const { secret: found } = kept([secret]);
  expect(found).toMatchObject({ names: ["data[password]"], beyond: ["data[password]"] });
  expect(tlsSecretManifest("default", "s", { certificate, privateKey }, found)).toMatchObject({
    metadata: { annotations: { [NOTE]: "data[password]" } },
    type: "Opaque",
    data: { password: "Yg==", "tls.crt": base64(certificate) },
  });
});

test("a certificate of this action's that a person has restored needs no consent, unlike one of another authority", async () => {
  const beyond = async (authority: KeyPair) => {
    const pair = await makeCertificate(HOST, authority, Date.now());
    const data = { "tls.crt": base64(pair.certificate), "tls.key": base64(pair.privateKey) };
    const managedFields = [
      { manager: "kubectl-client-side-apply", operation: "Update", fieldsV1: { "f:data": {} } },
    ];
    const metadata = { name: "my-release-milvus-tls", managedFields };
    return kept([liveObject({ kind: "Secret", metadata, data })]).secret.beyond;
  };
  expect(await beyond(await makeAuthority(HOST, Date.now()))).toEqual([]);
  expect(await beyond(await makeAuthority("other.example.com", Date.now()))).toEqual([
    "the certificate of an authority",
  ]);
});
