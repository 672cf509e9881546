import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMap, type YamlMap } from "../../src/base/yaml.ts";
import { ReleaseBusyError } from "../../src/helm/error.ts";
import { givenValues } from "../../src/helm/helm-values.ts";
import { type Release, releaseToInstall } from "../../src/helm/release.ts";
import { refuseUnfinished } from "../../src/helm/release-state.ts";
import { joinValues, mergeValues, valueAt } from "../../src/helm/values.ts";
import type { Service } from "../../src/kubernetes/objects.ts";
import { planRelease, type ReleasePlan, type UpgradePlan } from "../../src/plan/release.ts";
import { DEFAULTS, observed, STARTING, settings } from "../support/observed.ts";

/**
 * Applies an upgrade to the release's values, as `helm upgrade` does with
 * `--reset-then-reuse-values` or `--reset-values`.
 */
function applied(values: YamlMap, upgrade: UpgradePlan | undefined): YamlMap {
  if (!upgrade) return values;
  const given = givenValues(upgrade.values);
  return upgrade.values.kind === "instead" ? given : mergeValues(values, given);
}

function upgraded(values: YamlMap, plan: ReleasePlan): YamlMap {
  return applied(values, plan.upgrade);
}

/** Then no second upgrade removes the layer-4 load balancer. */
const AT_ONCE = { keep_layer4: "false" };

function reasons(plan: ReleasePlan): string[] {
  return plan.upgrade?.reasons ?? [];
}

describe("the upgrade", () => {
  test("what the load balancer needs is laid over a release as the page's reader has it, and nothing is lost", () => {
    const plan = planRelease(settings(AT_ONCE), observed(STARTING));
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

  const settled = upgraded(STARTING, planRelease(settings(AT_ONCE), observed(STARTING)));

  test("a second run needs none", () => {
    expect(planRelease(settings(), observed(settled)).upgrade).toBeUndefined();
  });

  test("a deleted Service is made again", () => {
    const seen = { ...observed(settled), isServiceToCome: true };
    expect(reasons(planRelease(settings(), seen))).toEqual(["Service my-release-milvus is gone"]);
  });

  test.each<[string, Record<string, string>, Partial<Release>, string[]]>([
    ["the same chart version, on request", { chart_version: "v5.0.19" }, {}, []],
    ["another chart version", { chart_version: "5.0.20" }, {}, ["chart 5.0.19 becomes 5.0.20"]],
    ["a failed revision", {}, { status: "failed" }, ["revision 3 is failed"]],
    [
      "a revision that another rollback has overtaken",
      {},
      { status: "superseded" },
      ["revision 3 is superseded"],
    ],
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
    expect(reasons(planRelease(settings(inputs), observed(settled, release)))).toEqual(expected);
  });

  test("what a later file of values sets to null removes what the release has, not what an earlier file sets", () => {
    const both = settings({ values: "minio: null" });
    both.values.unshift({
      origin: "values_files: a.yaml",
      text: "minio: {enabled: true}",
      values: { minio: { enabled: true } },
    });
    expect(planRelease(both, observed(settled)).upgrade?.changes).toEqual([
      { path: "minio", before: { enabled: false }, after: null },
    ]);
  });

  test("the user's own user.yaml is kept too", () => {
    const inputs = { values: "extraConfigFiles:\n  user.yaml: |\n    log:\n      level: debug\n" };
    const plan = planRelease(settings(inputs), observed(settled));
    expect(valueAt(applied({}, plan.upgrade), "extraConfigFiles", "user.yaml")).toBe(
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
      expect(reasons(planRelease(settings(), seen))).toEqual(expected);
    });

    test("what the release doesn't have yet is no drift", () => {
      const seen = observed({});
      expect(reasons(planRelease(settings(), seen)).join()).not.toContain("Service");
    });
  });
});

describe("null in the values", () => {
  const removing = settings({
    values:
      "minio: null\nservice: { nodePort: null, labels: null }\netcd: { replicas: null }\nnew: { a: null }",
  });
  const starting = {
    ...STARTING,
    service: { type: "LoadBalancer", nodePort: 30000 },
    etcd: { replicas: 5 },
  };

  test("keeps the chart's default away, removes what the chart doesn't have, and once is enough", () => {
    const plan = planRelease(removing, observed(starting));
    const values = upgraded(starting, plan);
    expect(plan.upgrade?.values.kind).toBe("instead");
    expect(values).toMatchObject({ minio: null, etcd: { replicas: null } });
    expect(Object.keys(Object(values.service))).toEqual(["type", "annotations"]);
    expect(values).not.toHaveProperty("new");
    expect(planRelease(removing, observed(values)).upgrade).toBeUndefined();
  });

  test("stays when it is given no more, and through every later upgrade", () => {
    const values = upgraded(starting, planRelease(removing, observed(starting)));
    expect(planRelease(settings(), observed(values)).upgrade).toBeUndefined();
    const later = planRelease(settings({ values: "etcd: { replicas: 5 }" }), observed(values));
    expect(reasons(later)).toEqual(["value etcd.replicas changes"]);
    expect(upgraded(values, later)).toEqual({ ...values, etcd: { replicas: 5 } });
  });

  test("of a chart that isn't known is kept, as there may be a default", () => {
    const plan = planRelease(removing, observed(starting, { base: undefined }));
    expect(upgraded(starting, plan).service).toMatchObject({ nodePort: null });
  });

  test("without one Helm itself keeps the release's values", () => {
    expect(planRelease(settings(), observed(STARTING)).upgrade?.values.kind).toBe("over");
  });
});

/** Values without null and empty maps, which mean the same to a chart as nothing. */
function withoutNothing(values: YamlMap): YamlMap {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => {
      const rest = isMap(value) ? withoutNothing(value) : value;
      return rest === null || (isMap(rest) && Object.keys(rest).length === 0) ? [] : [[key, rest]];
    }),
  );
}

describe("any values", () => {
  const treeOf = (...leaves: unknown[]) =>
    fc.letrec<{ tree: YamlMap }>((tie) => ({
      tree: fc.dictionary(
        fc.constantFrom("a", "b", "etcd", "minio", "annotations", "labels"),
        fc.oneof({ maxDepth: 3 }, fc.constantFrom(...leaves), tie("tree")),
        { maxKeys: 4 },
      ),
    })).tree;
  const VALUES = [true, 0, "x", [], [null], {}];

  test("are settled by one upgrade, with what the load balancer needs, and nothing of the user's is lost", () => {
    fc.assert(
      fc.property(treeOf(...VALUES), treeOf(null, ...VALUES), fc.boolean(), (own, given, keep) => {
        const values = { ...own, service: { type: keep ? "LoadBalancer" : "ClusterIP" } };
        const wanted = settings({ values: JSON.stringify(given), keep_layer4: String(keep) });
        const plan = planRelease(wanted, observed(values));
        const first = upgraded(values, plan);
        const last = applied(first, plan.switchOver);
        expect(planRelease(wanted, observed(last))).toMatchObject({
          upgrade: undefined,
          switchOver: undefined,
        });
        const { service: _, extraConfigFiles: __, ...effective } = mergeValues(DEFAULTS, last);
        const { service: ___, ...wishes } = mergeValues(DEFAULTS, joinValues(values, given));
        expect(withoutNothing(effective)).toEqual(withoutNothing(wishes));
      }),
      { numRuns: 300 },
    );
  });
});

describe("the layer-4 load balancer, which stays by default", () => {
  const keep = settings();
  const TO_CLUSTER_IP = [{ path: "service.type", before: "LoadBalancer", after: "ClusterIP" }];

  test("the first run leaves the Service's type and switches it later, without touching anything else", () => {
    const plan = planRelease(keep, observed(STARTING));
    expect(reasons(plan)).toEqual([
      'value service.annotations."cloud.google.com/app-protocols" changes',
      'value service.annotations."cloud.google.com/backend-config" changes',
      'value service.annotations."cloud.google.com/neg" changes',
      'value extraConfigFiles."user.yaml" changes',
    ]);
    const kept = upgraded(STARTING, plan);
    expect(valueAt(kept, "service", "type")).toBe("LoadBalancer");
    expect(plan.switchOver).toMatchObject({
      reasons: ["value service.type changes"],
      changes: TO_CLUSTER_IP,
    });
    expect(applied(kept, plan.switchOver)).toEqual(
      upgraded(STARTING, planRelease(settings(AT_ONCE), observed(STARTING))),
    );
  });

  test("what the inputs give once more with the switch doesn't take TLS or the annotations away", () => {
    const values = {
      extraConfigFiles: { "user.yaml": "common: { security: { authorizationEnabled: true } }\n" },
      service: { annotations: { "cloud.google.com/neg": "{}" } },
    };
    const wanted = settings({ values: JSON.stringify(values) });
    const plan = planRelease(wanted, observed(STARTING));
    const kept = upgraded(STARTING, plan);
    const switched = applied(kept, plan.switchOver);
    expect(switched).toEqual({ ...kept, service: { ...Object(kept.service), type: "ClusterIP" } });
    expect(valueAt(switched, "extraConfigFiles", "user.yaml")).toContain("tlsMode: 1");
    expect(planRelease(wanted, observed(switched))).toMatchObject({
      upgrade: undefined,
      switchOver: undefined,
    });
  });

  const kept = upgraded(STARTING, planRelease(keep, observed(STARTING)));

  test("the next run, of one that ended before the switch, has only the switch to do", () => {
    const plan = planRelease(keep, observed(kept));
    expect(plan.upgrade).toBeUndefined();
    expect(plan.switchOver?.changes).toEqual(TO_CLUSTER_IP);
  });

  test("once it is switched there is nothing more to do", () => {
    const plan = planRelease(keep, observed(mergeValues(kept, { service: { type: "ClusterIP" } })));
    expect(plan).toMatchObject({ upgrade: undefined, switchOver: undefined });
  });

  test("no longer asked for, the type changes with the upgrade", () => {
    const plan = planRelease(settings(AT_ONCE), observed(kept));
    expect(plan.upgrade?.changes).toEqual(TO_CLUSTER_IP);
    expect(plan.switchOver).toBeUndefined();
  });

  test.each(["ClusterIP", "NodePort"])("a Service of type %s has none to keep", (type) => {
    const plan = planRelease(keep, observed({ service: { type } }));
    expect(valueAt(applied({}, plan.upgrade), "service", "type")).toBe("ClusterIP");
    expect(plan.switchOver).toBeUndefined();
  });

  test("a Service whose type someone has changed gets the kept one back first", () => {
    const seen = observed(kept);
    seen.service.spec.type = "ClusterIP";
    const plan = planRelease(keep, seen);
    expect(reasons(plan)).toEqual(["Service my-release-milvus was changed to type ClusterIP"]);
    expect(plan.switchOver?.changes).toEqual(TO_CLUSTER_IP);
  });
});

describe("a release that is yet to be installed", () => {
  const chart = { name: "milvus", version: "5.0.19", appVersion: "2.6.15", values: DEFAULTS };
  const release = releaseToInstall("my-release", "default", chart);
  const inputs = { install: "true", values: "minio: {enabled: false}" };

  test("gets the user's values and what the load balancer needs", () => {
    const plan = planRelease(settings(inputs), observed({}, release));
    expect(plan.chartVersion).toBe("5.0.19");
    expect(reasons(plan)).toEqual([
      "value minio.enabled changes",
      "value service.type changes",
      'value service.annotations."cloud.google.com/app-protocols" changes',
      'value service.annotations."cloud.google.com/backend-config" changes',
      'value service.annotations."cloud.google.com/neg" changes',
      'value extraConfigFiles."user.yaml" changes',
    ]);
    expect(plan.upgrade?.changes).toContainEqual({ path: "minio.enabled", before: undefined, after: false });
    expect(plan.switchOver).toBeUndefined();
  });

  test("is refused what contradicts the load balancer, as any other", () => {
    const contradicting = settings({ ...inputs, values: "ingress: {enabled: true}" });
    expect(() => planRelease(contradicting, observed({}, release))).toThrow("ingress.enabled");
  });
});

describe("refused", () => {
  test.each<[string, Record<string, string>, string]>([
    ["another chart's name", { chart: "milvus", chart_repository: "https://charts.example.com" }, "milvus"],
    ["another chart by its digest", { chart: "oci://r.example.com/charts/other@sha256:ab" }, "other"],
    ["another chart in a registry", { chart: "oci://registry.example.com/charts/other" }, "other"],
  ])("%s than the release's", (_, inputs, name) => {
    const plan = () =>
      planRelease(settings(inputs), observed({}, { chart: "platform", chartVersion: "0.3.0" }));
    expect(plan).toThrow(
      `Release my-release in namespace default is of the chart platform, not ${name}; nothing was changed.`,
    );
    expect(plan).toThrow("the release has platform 0.3.0");
  });

  test("what an earlier layer-4 load balancer has left in the Service", () => {
    const seen = observed(STARTING);
    seen.service.spec.loadBalancerSourceRanges = ["10.0.0.0/8"];
    expect(() => planRelease(settings(), seen)).toThrow("has spec.loadBalancerSourceRanges");
  });

  test("a gRPC port that was changed outside Helm, of a release that is as it was deployed", () => {
    const seen = observed(STARTING);
    seen.service.spec.ports = [{ name: "grpc", port: 19530, targetPort: "milvus" }];
    expect(() => planRelease(settings(), seen)).toThrow("was changed outside Helm");
    seen.release.status = "failed";
    expect(() => planRelease(settings(), seen)).not.toThrow();
  });

  test.each([
    ["pending-upgrade", "helm rollback my-release -n default"],
    ["pending-rollback", "helm rollback my-release -n default"],
    ["pending-install", "helm uninstall my-release -n default"],
    ["uninstalled", "install Milvus again"],
    ["uninstalling", "install Milvus again"],
  ])("a release that is %s", (status, remedy) => {
    const plan = () => refuseUnfinished(observed({}, { status }).release);
    expect(plan).toThrow(
      new RegExp(`[Rr]elease my-release in namespace default is ${status}; nothing was changed`),
    );
    expect(plan).toThrow(remedy);
  });

  test("a pending release is another run's: with recover_pending this one waits for it", () => {
    const plan = () => refuseUnfinished(observed({}, { status: "pending-upgrade" }).release);
    expect(plan).toThrow(ReleaseBusyError);
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
    [
      "a Service with node ports",
      {},
      { values: "service: {type: NodePort}" },
      "The inputs set service.type: NodePort",
    ],
    ["another name", {}, { values: "fullnameOverride: other" }, 'The inputs set fullnameOverride: "other"'],
  ])("%s", (_, values, inputs, message) => {
    expect(() => planRelease(settings(inputs), observed(values))).toThrow(message);
  });

  test("what this run itself switches off is admitted", () => {
    const inputs = { values: 'ingress: {enabled: false}\ncustomConfigMap: ""' };
    const values = { ingress: { enabled: true }, customConfigMap: "mine" };
    expect(reasons(planRelease(settings(inputs), observed(values)))).toContain(
      "value ingress.enabled changes",
    );
  });
});

test("a layer-4 load balancer in the release's first values file is no new request", () => {
  const inputs = { values: "service: {type: LoadBalancer}" };
  const first = planRelease(settings(AT_ONCE), observed(STARTING)).upgrade;
  const seen = observed(joinValues(STARTING, first ? givenValues(first.values) : {}));
  const { upgrade, switchOver, notes } = planRelease(settings(inputs), seen);
  expect(upgrade).toBeUndefined();
  expect(switchOver).toBeUndefined();
  expect(notes).toEqual([]);
});
