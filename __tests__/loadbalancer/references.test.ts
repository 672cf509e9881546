import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { Ingress, Service } from "../../src/kubernetes/objects.ts";
import {
  type CertificateReferences,
  cleanedPreSharedAnnotation,
  needs,
  referencesOf,
  transitionalReferences,
} from "../../src/loadbalancer/references.ts";

const PRE_SHARED = "ingress.gcp.kubernetes.io/pre-shared-cert";
const MANAGED = "networking.gke.io/managed-certificates";

const ingressWith = (annotations: Record<string, string>, spec: object = {}) =>
  v.parse(Ingress, { metadata: { name: "i", annotations }, spec });

const references = (parts: Partial<CertificateReferences>): CertificateReferences => ({
  secrets: [],
  preShared: [],
  managed: [],
  ...parts,
});

describe("referencesOf", () => {
  test.each<[string, Ingress | undefined, Partial<CertificateReferences>]>([
    ["no Ingress", undefined, {}],
    ["an Ingress without any", ingressWith({}), {}],
    [
      "Secrets, and an entry without one",
      ingressWith({}, { tls: [{ secretName: "a" }, {}, { secretName: "b" }] }),
      { secrets: ["a", "b"] },
    ],
    [
      "lists as people write them",
      ingressWith({ [PRE_SHARED]: " a,b ,, ", [MANAGED]: "m" }),
      { preShared: ["a", "b"], managed: ["m"] },
    ],
    ["emptied lists", ingressWith({ [PRE_SHARED]: "", [MANAGED]: " " }), {}],
  ])("%s", (_, ingress, expected) => {
    expect(referencesOf(ingress)).toEqual(references(expected));
  });
});

describe("needs", () => {
  const service = (name: string, annotations: Record<string, string>) =>
    v.parse(Service, { metadata: { name, annotations }, spec: {} });
  const services = [
    service("default", { "cloud.google.com/backend-config": '{"default":"b"}' }),
    service("port", { "beta.cloud.google.com/backend-config": '{"ports":{"http":"b"}}' }),
    service("broken", { "cloud.google.com/backend-config": "b" }),
    service("none", {}),
  ];
  const to = (name: string) => ({ service: { name } });
  const routed = (name: string) => ({ rules: [{ http: { paths: [{ backend: to(name) }] } }] });

  test.each<[string, { kind: string; name: string }, Ingress, boolean]>([
    ["a Secret", { kind: "Secret", name: "a" }, ingressWith({}, { tls: [{ secretName: "a" }] }), true],
    ["another Secret", { kind: "Secret", name: "b" }, ingressWith({}, { tls: [{ secretName: "a" }] }), false],
    [
      "the authority of its Secret",
      { kind: "Secret", name: "a-ca" },
      ingressWith({}, { tls: [{ secretName: "a" }] }),
      true,
    ],
    [
      "a ManagedCertificate",
      { kind: "ManagedCertificate", name: "m" },
      ingressWith({ [MANAGED]: "l,m" }),
      true,
    ],
    [
      "a FrontendConfig",
      { kind: "FrontendConfig", name: "f" },
      ingressWith({ "networking.gke.io/v1beta1.FrontendConfig": "f" }),
      true,
    ],
    [
      "the BackendConfig of its default backend's Service",
      { kind: "BackendConfig", name: "b" },
      ingressWith({}, { defaultBackend: to("default") }),
      true,
    ],
    [
      "the BackendConfig of one of a Service's ports",
      { kind: "BackendConfig", name: "b" },
      ingressWith({}, routed("port")),
      true,
    ],
    ...["broken", "none", "missing"].map(
      (name): [string, { kind: string; name: string }, Ingress, boolean] => [
        `no BackendConfig of a Service: ${name}`,
        { kind: "BackendConfig", name: "b" },
        ingressWith({}, routed(name)),
        false,
      ],
    ),
    ["nothing of another kind", { kind: "ConfigMap", name: "a" }, ingressWith({}), false],
  ])("%s", (_, object, ingress, expected) => {
    expect(needs(ingress, object, services)).toBe(expected);
  });
});

describe("transitionalReferences", () => {
  /** The certificates of each kind that the Ingress names. Google's controller has added one. */
  const live = {
    "self-managed": references({ secrets: ["t"] }),
    secret: references({ secrets: ["s"] }),
    "google-managed": references({ managed: ["m"], preShared: ["mcrt-1"] }),
    "pre-shared": references({ preShared: ["a", "b"] }),
  };
  const wanted = { ...live, "google-managed": references({ managed: ["m"] }) };
  type Kind = keyof typeof live;
  const kinds: Kind[] = ["self-managed", "secret", "google-managed", "pre-shared"];

  test.each(kinds.flatMap((from) => kinds.map((to): [Kind, Kind] => [from, to])))(
    "from %s to %s",
    (from, to) => {
      const during = transitionalReferences(wanted[to], live[from], false);
      if (to !== "google-managed") expect(during).toBe(wanted[to]);
      else {
        expect(during).toEqual({
          secrets: live[from].secrets,
          preShared: live[from].preShared,
          managed: ["m"],
        });
      }
      expect(transitionalReferences(wanted[to], live[from], true)).toBe(wanted[to]);
    },
  );

  test("keeps another host's Google-managed certificate beside the new one", () => {
    const before = references({ managed: ["m"], preShared: ["mcrt-1"] });
    expect(transitionalReferences(references({ managed: ["m-2"] }), before, false)).toEqual(
      references({ managed: ["m-2", "m"], preShared: ["mcrt-1"] }),
    );
  });

  test("names pre-shared certificates once, in the order in which the controller writes them", () => {
    const before = references({ preShared: ["z", "mcrt-1", "a"], managed: ["m"] });
    expect(transitionalReferences(references({ managed: ["m"] }), before, false)).toEqual(
      references({ preShared: ["a", "mcrt-1", "z"], managed: ["m"] }),
    );
    expect(before.preShared).toEqual(["z", "mcrt-1", "a"]);
  });
});

describe("cleanedPreSharedAnnotation", () => {
  test.each<[string, string | undefined, string[], string | null | undefined]>([
    ["no annotation", undefined, ["a"], undefined],
    ["an empty one", "", [], undefined],
    ["nothing but what is kept", "a,b", ["b", "a"], undefined],
    ["a former name alone", "mcrt-1", [], null],
    ["a former name beside one that is kept", "mcrt-1,mcrt-2", ["mcrt-2"], "mcrt-2"],
    ["several, in the same order", "c,b,a", ["a", "c"], "c,a"],
    ["blanks are nothing to clear", " mcrt-1 ,", ["mcrt-1"], undefined],
  ])("%s", (_, annotation, kept, expected) => {
    const ingress = ingressWith(annotation === undefined ? {} : { [PRE_SHARED]: annotation });
    expect(cleanedPreSharedAnnotation(ingress, (name) => kept.includes(name))).toBe(expected);
  });
});
