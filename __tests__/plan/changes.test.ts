import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { objectChange, uncheckedChange } from "../../src/plan/changes.ts";

function object(kind: string, name: string, spec: object, metadata: object = {}): KubernetesObject {
  return v.parse(KubernetesObject, { apiVersion: "v1", kind, metadata: { name, ...metadata }, spec });
}

describe("objectChange", () => {
  const bookkeeping = { resourceVersion: "1", generation: 1, managedFields: [{ time: "t" }] };

  test.each([
    ["not there", undefined, { action: "create" }],
    ["the same", object("Ingress", "a", { x: 1 }), { action: "keep" }],
    ["the same but for bookkeeping", object("Ingress", "a", { x: 1 }, bookkeeping), { action: "keep" }],
    [
      "another spec",
      object("Ingress", "a", { x: 2 }),
      { action: "change", fields: [{ path: "spec.x", before: "2", after: "1" }] },
    ],
    [
      "another annotation",
      object("Ingress", "a", { x: 1 }, { annotations: { y: "z" } }),
      { action: "change", fields: [{ path: "metadata.annotations.y", before: "z", after: undefined }] },
    ],
    [
      "an annotation in which kubectl keeps what was applied",
      object(
        "Ingress",
        "a",
        { x: 1 },
        { annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}" } },
      ),
      { action: "change" },
    ],
  ])("%s", (_, before, change) => {
    const after = object(
      "Ingress",
      "a",
      { x: 1 },
      { resourceVersion: "2", generation: 2, managedFields: [] },
    );
    expect(objectChange(before, after)).toEqual({ kind: "Ingress", name: "a", ...change });
  });
});

describe("uncheckedChange", () => {
  const ours = (fieldsV1: object, metadata: object = {}) => ({
    ...metadata,
    managedFields: [{ manager: "milvus-gke-load-balancer", operation: "Apply", fieldsV1 }],
  });
  const annotated = { annotations: { y: "z" } };
  const manifest = {
    apiVersion: "v1",
    kind: "Ingress",
    metadata: { name: "a", namespace: "n", ...annotated },
    spec: { timeoutSec: 30, off: false, tls: [] },
  };

  test.each([
    ["not there", undefined, "create"],
    ["as the manifest says", object("Ingress", "a", { timeoutSec: 30 }, annotated), "keep"],
    [
      "with defaults of the API server's and annotations of controllers'",
      object("Ingress", "a", { timeoutSec: 30, x: 1 }, { annotations: { y: "z", other: "w" } }),
      "keep",
    ],
    ["with another number", object("Ingress", "a", { timeoutSec: 31 }, annotated), "change"],
    ["on instead of off", object("Ingress", "a", { timeoutSec: 30, off: true }, annotated), "change"],
    ["without the annotation", object("Ingress", "a", { timeoutSec: 30 }), "change"],
    [
      "with a field that an earlier run applied and this one doesn't",
      object("Ingress", "a", { timeoutSec: 30, old: 1 }, ours({ "f:spec": { "f:old": {} } }, annotated)),
      "change",
    ],
    [
      "with fields that this run applies too",
      object(
        "Ingress",
        "a",
        { timeoutSec: 30 },
        ours({ "f:spec": { ".": {}, "f:timeoutSec": {} } }, annotated),
      ),
      "keep",
    ],
  ])("%s", (_, live, action) => {
    expect(uncheckedChange(live, manifest)).toMatchObject({
      kind: "Ingress",
      name: "a",
      action,
      rehearsed: false,
    });
  });

  test("names the fields that the manifest changes", () => {
    const live = object("Ingress", "a", { timeoutSec: 31 }, annotated);
    expect(uncheckedChange(live, manifest).fields).toEqual([
      { path: "spec.timeoutSec", before: "31", after: "30" },
    ]);
  });

  test("shows nothing of what a Secret holds", () => {
    const before = v.parse(KubernetesObject, { ...object("Secret", "s", {}), data: { key: "Zm9v" } });
    const after = v.parse(KubernetesObject, { ...object("Secret", "s", {}), data: { key: "YmFy" } });
    expect(objectChange(before, after).fields).toEqual([{ path: "data.key", before: "***", after: "***" }]);
  });

  test.each([
    ["the same", "Zm9v", "keep"],
    ["another one", "YmFy", "change"],
  ])("a Secret's stringData is compared with data: %s", (_, stored, action) => {
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s", namespace: "n" },
      stringData: { key: "foo" },
    };
    const live = v.parse(KubernetesObject, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s", namespace: "n" },
      data: { key: stored },
    });
    expect(uncheckedChange(live, secret).action).toBe(action);
  });
});
