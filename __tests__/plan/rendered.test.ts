import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { YamlMap } from "../../src/base/yaml.ts";
import { formerDefaults } from "../../src/helm/former-defaults.ts";
import { computeValues } from "../../src/helm/values.ts";
import { unaskedChanges } from "../../src/plan/baseline.ts";
import { planRelease } from "../../src/plan/release.ts";
import { planRendered } from "../../src/plan/rendered.ts";
import { secretsIn, shownField } from "../../src/plan/shown-fields.ts";
import { observed, STARTING, settings, storedRelease } from "../support/observed.ts";

const NAME = "my-release-milvus";

function manifest(...objects: object[]): string {
  return objects.map((object) => `---\n${JSON.stringify(object)}\n`).join("");
}

function deployment(more: { image?: string; env?: object[]; checksum?: string; mount?: string } = {}) {
  const {
    image = "milvusdb/milvus:v2.6.6",
    env = [],
    checksum = "a",
    mount = "/milvus/configs/user.yaml",
  } = more;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: `${NAME}-standalone` },
    spec: {
      template: {
        metadata: { labels: { component: "standalone" }, annotations: { "checksum/config": checksum } },
        spec: {
          containers: [
            {
              name: "standalone",
              image,
              env,
              volumeMounts: [{ name: "config", mountPath: mount, subPath: "user.yaml" }],
            },
          ],
          volumes: [{ name: "config", configMap: { name: NAME } }],
        },
      },
    },
  };
}

function configMap(defaults: string, userYaml: string) {
  const data = { "default.yaml": defaults, "user.yaml": userYaml };
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: NAME }, data };
}

function service(type: string, annotations: object = {}, selector: object = { component: "standalone" }) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: NAME, annotations },
    spec: { type, selector },
  };
}

const ANNOTATIONS = {
  "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}',
  "cloud.google.com/backend-config": '{"default":"my-release-backendconfig"}',
  "cloud.google.com/neg": '{"ingress":true}',
};
const TLS = "common:\n  security:\n    tlsMode: 1\nproxy:\n  http:\n    port: 8080\n";
const LINES = "log:\n  maxSize: 104857600\n";
const STORED = [deployment(), configMap(LINES, ""), service("LoadBalancer")];
const WANTED = [deployment({ checksum: "b" }), configMap(LINES, TLS), service("ClusterIP", ANNOTATIONS)];

/** Plans the upgrade of a release from its stored manifest and the manifests that it would be rendered to. */
function planned(
  stored: object[],
  baselines: object[][],
  wanted: object[],
  inputs: Record<string, string> = {},
  values: YamlMap = STARTING,
) {
  const wishes = settings({ keep_layer4: "false", ...inputs });
  const before = { milvusVersion: "2.6.6" };
  const seen = {
    ...observed(values, { base: storedRelease({ values, manifest: manifest(...stored) }) }),
    ...before,
  };
  const { upgrade } = planRelease(wishes, seen);
  if (!upgrade) throw new Error("there is no upgrade");
  return planRendered(wishes, seen, upgrade, {
    chart: { path: "/chart", name: "milvus", version: "5.0.19" },
    baselines: baselines.map((objects) => manifest(...objects)),
    installed: undefined,
    hooks: [],
    wanted: manifest(...wanted),
    live: [],
  });
}

describe("planRendered", () => {
  test("lists what changes, which pods are replaced and which Milvus runs then", () => {
    const plan = planned(STORED, [STORED], WANTED);
    expect(plan).toMatchObject({
      restarts: [{ kind: "Deployment", name: `${NAME}-standalone` }],
      creates: [],
      deletes: [],
      manifest: manifest(...WANTED),
      milvusVersion: "2.6.6",
      warnings: [],
    });
    expect(plan.fields).toContainEqual({
      kind: "Service",
      name: NAME,
      path: "spec.type",
      before: "LoadBalancer",
      after: "ClusterIP",
    });
  });

  const env = [{ name: "EXTRA", value: "1" }];
  const exponent = configMap("log:\n  maxSize: 1.048576e+08\n", "");

  test.each<[string, object[], object[], Record<string, string>, YamlMap, RegExp]>([
    [
      "another chart of the same name and version",
      [deployment({ env }), ...STORED.slice(1)],
      STORED,
      {},
      STARTING,
      /Deployment my-release-milvus-standalone: spec\.template\.spec\.containers\[standalone\]\.env\[EXTRA\]: \{"name":"EXTRA","value":"1"\} -> nothing\nWhat to do: if the release was made from another chart .* set chart_version: 5\.0\.19\.$/s,
    ],
    [
      "another image",
      [deployment({ image: "milvusdb/milvus:mine" }), ...STORED.slice(1)],
      STORED,
      {},
      STARTING,
      /\.image: milvusdb\/milvus:mine -> milvusdb\/milvus:v2\.6\.6/,
    ],
    [
      "a number that Helm reads otherwise",
      STORED,
      [deployment({ checksum: "x" }), exponent, service("LoadBalancer")],
      {},
      { ...STARTING, log: { file: { maxSize: 104857600 } } },
      /maxSize: 104857600 -> maxSize: 1\.048576e\+08\nWhat to do: Helm writes 104857600 in another form .*: give log\.file\.maxSize in quotes with the input values\. To take this chart/,
    ],
    [
      "an object that is gone",
      [...STORED, { ...configMap("", ""), metadata: { name: "by-hand" } }],
      STORED,
      {},
      STARTING,
      /ConfigMap by-hand goes/,
    ],
  ])("refuses what no value asks for: %s", (_, stored, baseline, inputs, values, expected) => {
    const isNumber = baseline.includes(exponent);
    const wanted = isNumber
      ? [WANTED[0] ?? {}, configMap("log:\n  maxSize: 1.048576e+08\n", TLS), WANTED[2] ?? {}]
      : WANTED;
    expect(() => planned(stored, [baseline], wanted, inputs, values)).toThrow(expected);
    // Whoever names the version wants this chart as it is.
    expect(
      planned(stored, [baseline], wanted, { ...inputs, chart_version: "5.0.19" }, values).fields,
    ).not.toEqual([]);
  });

  test("what the wanted values keep isn't refused", () => {
    const baseline = [deployment({ checksum: "x" }), exponent, service("LoadBalancer")];
    expect(planned(STORED, [baseline], WANTED).milvusVersion).toBe("2.6.6");
  });

  test("random fields and fields of the installation only are no differences", () => {
    const token = (value: string) => [deployment({ env: [{ name: "T", value }] }), ...STORED.slice(1)];
    const job = { apiVersion: "batch/v1", kind: "Job", metadata: { name: "init" } };
    const wanted = [deployment({ env: [{ name: "T", value: "4" }] }), ...WANTED.slice(1)];
    expect(planned([...token("1"), job], [token("2"), token("3")], wanted).deletes).toEqual([
      { kind: "Job", name: "init" },
    ]);
  });

  test.each<[string, object[], RegExp]>([
    [
      "a chart that ignores service.annotations",
      [...WANTED.slice(0, 2), service("ClusterIP")],
      /service\.annotations/,
    ],
    [
      "a chart that ignores service.type",
      [...WANTED.slice(0, 2), service("LoadBalancer", ANNOTATIONS)],
      /gets type/,
    ],
    [
      "a chart that doesn't mount user.yaml",
      [deployment({ mount: "/milvus/configs/milvus.yaml" }), ...WANTED.slice(1)],
      /mount no user\.yaml[\s\S]*3\.3\.2/,
    ],
    [
      "a chart that doesn't render user.yaml",
      [deployment(), configMap(LINES, ""), service("ClusterIP", ANNOTATIONS)],
      /doesn't turn TLS on/,
    ],
    [
      "REST on the port of gRPC",
      [deployment(), configMap(LINES, "common: {security: {tlsMode: 1}}"), service("ClusterIP", ANNOTATIONS)],
      /REST API no port/,
    ],
    [
      "a Service that selects other pods",
      [...WANTED.slice(0, 2), service("ClusterIP", ANNOTATIONS, { component: "proxy" })],
      /no pods of the release have the labels/,
    ],
    ["no Service", WANTED.slice(0, 2), /makes no Service/],
  ])("refuses what has no effect: %s", (_, wanted, expected) => {
    expect(() => planned(STORED, [STORED], wanted)).toThrow(expected);
    expect(() => planned(STORED, [STORED], wanted)).toThrow("nothing was changed");
  });
});

describe("shownField", () => {
  const field = (path: string, before: unknown, after: unknown, kind = "ConfigMap") =>
    shownField({ kind, name: "x", path, before, after }, ["hunter2"]);
  test.each([
    ["lines that differ", field("data.a", "a: 1\nb: 2", "a: 1\nb: 3"), "b: 2", "b: 3"],
    ["a Secret", field("data.a", "MQ==", "Mg==", "Secret"), "***", "***"],
    [
      "a line that names a secret",
      field("data.a", "", "minio:\n  secretAccessKey: abc"),
      "",
      "minio:; secretAccessKey: ***",
    ],
    [
      "one in flow style",
      field("data.a", "", "{minio: {secretAccessKey: abc}}"),
      "",
      "{minio: {secretAccessKey: ***",
    ],
    [
      "a variable",
      field("env[X]", undefined, { name: "MINIO_PASSWORD", value: "abc" }),
      undefined,
      '{"name":"MINIO_PASSWORD","value":"***"}',
    ],
    ["a known secret", field("args[0]", "--user=a", "--user=hunter2"), "--user=a", "--user=***"],
    ["a URL", field("data.a", "", "url: redis://me:abc@host"), "", "url: redis://me:***@host"],
    ["a number", field("spec.replicas", 1, 2), "1", "2"],
  ])("%s", (_, shown, before, after) => {
    expect(shown).toMatchObject({ before, after });
  });

  test("secretsIn finds what its name says is one", () => {
    expect(secretsIn({ minio: { accessKey: "abcd", bucket: "b" }, tokens: ["efgh"] })).toEqual([
      "abcd",
      "efgh",
    ]);
  });
});

test("formerDefaults: laid over the new defaults they give the former ones", () => {
  const { tree } = fc.letrec<{ tree: YamlMap }>((tie) => ({
    tree: fc.dictionary(
      fc.constantFrom("a", "b", "c"),
      fc.oneof({ maxDepth: 3 }, fc.constantFrom(1, "x", true), tie("tree")),
      { maxKeys: 3 },
    ),
  }));
  const filled = (values: YamlMap): YamlMap =>
    Object.fromEntries(
      Object.entries(values).flatMap(([key, value]) => {
        if (typeof value !== "object" || value === null) return [[key, value]];
        const below = filled({ ...value });
        return Object.keys(below).length > 0 ? [[key, below]] : [];
      }),
    );
  fc.assert(
    fc.property(tree, tree, (one, other) => {
      const [former, current] = [filled(one), filled(other)];
      expect(filled(computeValues(current, formerDefaults(former, current)))).toEqual(former);
      expect(formerDefaults(former, former)).toEqual({});
    }),
  );
});

test("unaskedChanges: whatever a baseline changes is in what the upgrade changes, or isn't there", () => {
  const object = fc.record({ x: fc.constantFrom("1", "2", "3"), y: fc.constantFrom("1", "2", "3") });
  const rendered = (data: object) =>
    manifest({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data });
  fc.assert(
    fc.property(object, object, object, (stored, baseline, wanted) => {
      const unasked = unaskedChanges({
        stored: rendered(stored),
        baselines: [rendered(baseline)],
        installed: undefined,
        wanted: rendered(wanted),
      }).map(({ path }) => path);
      for (const key of ["x", "y"] as const) {
        const isLost = baseline[key] !== stored[key] && wanted[key] === baseline[key];
        expect(unasked.includes(`data.${key}`)).toBe(isLost);
      }
    }),
  );
});
