import { describe, expect, test } from "vitest";
import { compareManifests, type ManifestChange, manifestDifferences } from "../../src/helm/manifest.ts";

const object = (kind: string, name: string, rest: object = {}, apiVersion = "apps/v1") =>
  JSON.stringify({ apiVersion, kind, metadata: { name }, ...rest });
const workload = (kind: string, name: string, template: object, rest: object = {}) =>
  object(kind, name, { spec: { template, ...rest } });
/** A manifest in Helm's form. */
const manifest = (...objects: string[]) =>
  objects.map((each) => `---\n# Source: milvus/templates/x.yaml\n${each}\n`).join("");
const kept = { metadata: { name: "data", annotations: { "helm.sh/resource-policy": "keep" } } };

describe("compareManifests", () => {
  const NOTHING: ManifestChange = { restarts: [], creates: [], deletes: [] };
  test.each<[string, string[], string[], Partial<ManifestChange>]>([
    ["nothing", [workload("Deployment", "a", { x: 1 })], [workload("Deployment", "a", { x: 1 })], {}],
    [
      "another pod template restarts the pods",
      ["Deployment", "StatefulSet", "DaemonSet", "Job"].map((kind) => workload(kind, "a", { x: 1 })),
      ["Deployment", "StatefulSet", "DaemonSet", "Job"].map((kind) => workload(kind, "a", { x: 2 })),
      {
        restarts: [
          { kind: "Deployment", name: "a" },
          { kind: "StatefulSet", name: "a" },
          { kind: "DaemonSet", name: "a" },
        ],
      },
    ],
    [
      "another number of replicas doesn't",
      [workload("Deployment", "a", { x: 1 }, { replicas: 1 })],
      [workload("Deployment", "a", { x: 1 }, { replicas: 2 })],
      {},
    ],
    [
      "the order of keys and of objects is no matter",
      [workload("Deployment", "a", { x: 1, y: 2 }), object("ConfigMap", "c", {}, "v1")],
      [object("ConfigMap", "c", {}, "v1"), workload("Deployment", "a", { y: 2, x: 1 })],
      {},
    ],
    [
      "objects come and go",
      [object("Service", "old", {}, "v1"), workload("Deployment", "old", {})],
      [object("Service", "new", {}, "v1"), workload("Deployment", "new", {})],
      {
        creates: [
          { kind: "Service", name: "new" },
          { kind: "Deployment", name: "new" },
        ],
        deletes: [
          { kind: "Service", name: "old" },
          { kind: "Deployment", name: "old" },
        ],
      },
    ],
    ["what is to be kept isn't deleted", [object("PersistentVolumeClaim", "data", kept, "v1")], [], {}],
    [
      "another version of the same group is the same object, another group isn't",
      [
        object("Ingress", "a", {}, "networking.k8s.io/v1beta1"),
        object("Ingress", "b", {}, "extensions/v1beta1"),
      ],
      [
        object("Ingress", "a", {}, "networking.k8s.io/v1"),
        object("Ingress", "b", {}, "networking.k8s.io/v1"),
      ],
      { creates: [{ kind: "Ingress", name: "b" }], deletes: [{ kind: "Ingress", name: "b" }] },
    ],
  ])("%s", (_, before, after, expected) => {
    expect(compareManifests(manifest(...before), manifest(...after))).toEqual({ ...NOTHING, ...expected });
  });

  test("what Helm passes over is passed over: empty documents, nulls, a key twice", () => {
    const odd = `---\n# only a comment\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  annotations:\n  name: b\n---\n`;
    expect(compareManifests("", odd)).toEqual({ ...NOTHING, creates: [{ kind: "Service", name: "b" }] });
  });
});

test("manifestDifferences: each field that differs, and each object that only one manifest has", () => {
  const one = [
    object("ConfigMap", "same", { data: {} }, "v1"),
    object("ConfigMap", "other", { data: { a: "1" } }, "v1"),
    object("Service", "gone", {}, "v1"),
  ];
  const other = [
    object("ConfigMap", "same", { data: {} }, "v1"),
    object("ConfigMap", "other", { data: { a: "2" } }, "v1"),
    object("Secret", "new", {}, "v1"),
  ];
  expect(manifestDifferences(manifest(...one), manifest(...other))).toMatchObject([
    { kind: "ConfigMap", name: "other", path: "data.a", before: "1", after: "2" },
    { kind: "Service", name: "gone", path: "", after: undefined },
    { kind: "Secret", name: "new", path: "", before: undefined },
  ]);
});
