import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { Release } from "../src/helm/release.ts";
import { mergeValues, valueAt } from "../src/helm/values.ts";
import { readSettings, type Settings } from "../src/inputs.ts";
import { KubernetesObject, Service } from "../src/kubernetes/objects.ts";
import type { Observed } from "../src/observe.ts";
import { makePlan, objectChanges, type Plan } from "../src/plan.ts";
import type { YamlMap } from "../src/yaml.ts";

const DEFAULTS: YamlMap = {
  customConfigMap: "",
  ingress: { enabled: false },
  minio: { enabled: true },
  service: { type: "ClusterIP", port: 19530, portName: "milvus", annotations: {} },
};

function settings(inputs: Record<string, string> = {}): Settings {
  const all: Record<string, string> = { host: "milvus.example.com", kubeconfig: "/k", ...inputs };
  return readSettings((name) => all[name] ?? "", "/");
}

/** The cluster as Helm has left it with these values of the release's own. */
function observed(values: YamlMap, release: Partial<Release> = {}): Observed {
  const computedValues = mergeValues(DEFAULTS, values);
  return {
    release: {
      name: "my-release",
      namespace: "default",
      revision: 3,
      status: "deployed",
      chart: "milvus",
      chartVersion: "5.0.19",
      appVersion: "2.6.15",
      serverSide: false,
      values,
      computedValues,
      ...release,
    },
    service: v.parse(Service, {
      metadata: {
        name: "my-release-milvus",
        namespace: "default",
        annotations: valueAt(computedValues, "service", "annotations"),
      },
      spec: {
        type: valueAt(computedValues, "service", "type"),
        ports: [{ name: "milvus", port: 19530, targetPort: "milvus" }],
      },
    }),
    ingress: undefined,
    objects: [],
    tlsSecret: undefined,
  };
}

/** Does what the plan says to the release's values, as `helm upgrade --reset-then-reuse-values` does. */
function upgraded(values: YamlMap, plan: Plan): YamlMap {
  return mergeValues(values, plan.upgrade?.overlay ?? {});
}

const STARTING: YamlMap = {
  service: { type: "LoadBalancer" },
  minio: { enabled: false },
  extraConfigFiles: { "user.yaml": "common:\n  security:\n    authorizationEnabled: true\n" },
};

function reasons(plan: Plan): string[] {
  return plan.upgrade?.reasons ?? [];
}

describe("the upgrade", () => {
  test("what the load balancer needs is laid over a release as the page's reader has it, and nothing is lost", () => {
    const plan = makePlan(settings(), observed(STARTING), undefined);
    expect(plan).toMatchObject({ chartVersion: "5.0.19", port: { name: "milvus", port: 19530 } });
    expect(reasons(plan)).toEqual([
      "value service.type changes",
      'value service.annotations."cloud.google.com/app-protocols" changes',
      'value service.annotations."cloud.google.com/backend-config" changes',
      'value service.annotations."cloud.google.com/neg" changes',
      'value extraConfigFiles."user.yaml" changes',
    ]);
    expect(upgraded(STARTING, plan)).toMatchObject({
      minio: { enabled: false },
      service: { type: "ClusterIP" },
      extraConfigFiles: {
        "user.yaml":
          "common:\n  security:\n    authorizationEnabled: true\n    tlsMode: 1\nproxy:\n  http:\n    port: 8080\n",
      },
    });
  });

  const settled = upgraded(STARTING, makePlan(settings(), observed(STARTING), undefined));

  test("a second run needs none", () => {
    expect(makePlan(settings(), observed(settled), undefined).upgrade).toBeUndefined();
  });

  test.each<[string, Record<string, string>, Partial<Release>, string[]]>([
    ["the same chart version, on request", { chart_version: "v5.0.19" }, {}, []],
    ["another chart version", { chart_version: "5.0.20" }, {}, ["chart 5.0.19 becomes 5.0.20"]],
    ["a failed revision", {}, { status: "failed" }, ["revision 3 is failed"]],
    ["values that are there already", { values: "minio: {enabled: no}" }, {}, []],
    [
      "a number in Go's notation",
      { values: "minio: {enabled: false, port: 1e3}" },
      { values: mergeValues(settled, { minio: { port: 1000 } }) },
      [],
    ],
    [
      "a text that only YAML 1.1 takes for a number",
      { values: "window: 12:30" },
      { values: { ...settled, window: "12:30" } },
      [],
    ],
    ["a value of the user's", { values: "image: {tag: v2}" }, {}, ["value image.tag changes"]],
    ["a value that Helm removes", { values: "minio: null" }, {}, ["value minio changes"]],
    [
      "a null that the release has already",
      { values: "etcd: null" },
      { values: { ...settled, etcd: null } },
      [],
    ],
    [
      "another BackendConfig",
      { backend_config_name: "other" },
      {},
      ['value service.annotations."cloud.google.com/backend-config" changes'],
    ],
  ])("%s", (_, inputs, release, expected) => {
    expect(reasons(makePlan(settings(inputs), observed(settled, release), undefined))).toEqual(expected);
  });

  test("what a later file of values sets to null removes what the release has, not what an earlier file sets", () => {
    const both = settings({ values: "minio: null" });
    both.values.unshift({
      origin: "values_files: a.yaml",
      text: "minio: {enabled: true}",
      values: { minio: { enabled: true } },
    });
    expect(makePlan(both, observed(settled), undefined).upgrade?.changes).toEqual([
      { path: "minio", before: { enabled: false }, after: undefined },
    ]);
  });

  test("the user's own user.yaml is kept too", () => {
    const inputs = { values: "extraConfigFiles:\n  user.yaml: |\n    log:\n      level: debug\n" };
    const plan = makePlan(settings(inputs), observed(settled), undefined);
    expect(valueAt(plan.upgrade?.overlay ?? {}, "extraConfigFiles", "user.yaml")).toBe(
      "log:\n  level: debug\ncommon:\n  security:\n    tlsMode: 1\nproxy:\n  http:\n    port: 8080\n",
    );
  });

  describe("drift of the Service, which only an upgrade mends", () => {
    test.each<[string, (service: Service) => void, string[]]>([
      ["none", () => {}, []],
      [
        "annotations of others",
        ({ metadata }) => {
          metadata.annotations["x/y"] = "z";
        },
        [],
      ],
      [
        "a lost annotation",
        ({ metadata }) => {
          delete metadata.annotations["cloud.google.com/neg"];
        },
        ["Service my-release-milvus has lost annotation cloud.google.com/neg"],
      ],
      [
        "a changed annotation",
        ({ metadata }) => {
          metadata.annotations["cloud.google.com/app-protocols"] = "{}";
        },
        ["Service my-release-milvus has lost annotation cloud.google.com/app-protocols"],
      ],
      [
        "another type",
        ({ spec }) => {
          spec.type = "NodePort";
        },
        ["Service my-release-milvus was changed to type NodePort"],
      ],
    ])("%s", (_, change, expected) => {
      const seen = observed(settled);
      change(seen.service);
      expect(reasons(makePlan(settings(), seen, undefined))).toEqual(expected);
    });

    test("what the release doesn't have yet is no drift", () => {
      const seen = observed({});
      expect(reasons(makePlan(settings(), seen, undefined)).join()).not.toContain("Service");
    });
  });
});

describe("refused", () => {
  test.each([
    ["pending-upgrade", "helm rollback my-release -n default"],
    ["pending-rollback", "helm rollback my-release -n default"],
    ["pending-install", "helm uninstall my-release -n default"],
    ["uninstalled", "install Milvus again"],
    ["uninstalling", "install Milvus again"],
  ])("a release that is %s", (status, remedy) => {
    const plan = () => makePlan(settings(), observed({}, { status }), undefined);
    expect(plan).toThrow(
      new RegExp(`[Rr]elease my-release in namespace default is ${status}; nothing was changed`),
    );
    expect(plan).toThrow(remedy);
  });

  test.each([
    ["the release's own Ingress", { ingress: { enabled: true } }, {}, "ingress.enabled"],
    [
      "an Ingress that this run would switch on",
      {},
      { values: "ingress: {enabled: true}" },
      "ingress.enabled",
    ],
    ["a ConfigMap of the user's own", { customConfigMap: "mine" }, {}, "customConfigMap: mine"],
    ["user.yaml as a map", {}, { values: "extraConfigFiles: {user.yaml: {a: 1}}" }, "is not text"],
  ])("%s", (_, values, inputs, message) => {
    expect(() => makePlan(settings(inputs), observed(values), undefined)).toThrow(message);
  });

  test("what this run itself switches off is admitted", () => {
    const inputs = { values: 'ingress: {enabled: false}\ncustomConfigMap: ""' };
    const values = { ingress: { enabled: true }, customConfigMap: "mine" };
    expect(reasons(makePlan(settings(inputs), observed(values), undefined))).toContain(
      "value ingress.enabled changes",
    );
  });
});

describe("the manifests", () => {
  const kinds = (plan: Plan) => plan.manifests.map((manifest) => v.parse(KubernetesObject, manifest).kind);

  test("the Secret only with a new certificate, the Ingress last", () => {
    expect(kinds(makePlan(settings(), observed({}), undefined))).toEqual(["BackendConfig", "Ingress"]);
    const pair = { certificate: "c", privateKey: "k" };
    expect(kinds(makePlan(settings(), observed({}), pair))).toEqual(["BackendConfig", "Secret", "Ingress"]);
  });

  test("go by the names of the inputs and of the Service that was found", () => {
    const inputs = { ingress_name: "i", backend_config_name: "b", tls_secret: "t" };
    expect(makePlan(settings(inputs), observed({}), undefined).names).toEqual({
      namespace: "default",
      host: "milvus.example.com",
      ingress: "i",
      backendConfig: "b",
      tlsSecret: "t",
      service: "my-release-milvus",
    });
  });
});

describe("objectChanges", () => {
  const object = (kind: string, name: string, spec: object, metadata: object = {}) =>
    v.parse(KubernetesObject, { apiVersion: "v1", kind, metadata: { name, ...metadata }, spec });

  test.each([
    ["not there", [], "create"],
    [
      "there under another kind or name",
      [object("Secret", "a", { x: 1 }), object("Ingress", "b", { x: 1 })],
      "create",
    ],
    ["the same", [object("Ingress", "a", { x: 1 })], "keep"],
    [
      "the same but for bookkeeping",
      [
        object(
          "Ingress",
          "a",
          { x: 1 },
          { resourceVersion: "1", generation: 1, managedFields: [{ time: "t" }] },
        ),
      ],
      "keep",
    ],
    ["another spec", [object("Ingress", "a", { x: 2 })], "change"],
    ["another annotation", [object("Ingress", "a", { x: 1 }, { annotations: { y: "z" } })], "change"],
  ])("%s", (_, before, action) => {
    const after = object(
      "Ingress",
      "a",
      { x: 1 },
      { resourceVersion: "2", generation: 2, managedFields: [] },
    );
    expect(objectChanges(before, [after])).toEqual([{ kind: "Ingress", name: "a", action }]);
  });
});
