import { describe, expect, test } from "vitest";
import { adoptionPatch, afterAdoption } from "../../src/kubernetes/adopt.ts";
import type { FieldTree } from "../../src/kubernetes/field-tree.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const US = "milvus-gke-load-balancer";

const entry = (manager: string, operation: "Apply" | "Update", fieldsV1: FieldTree, more: object = {}) => ({
  manager,
  operation,
  apiVersion: "networking.k8s.io/v1",
  fieldsType: "FieldsV1",
  time: "2030-01-01T00:00:00Z",
  fieldsV1,
  ...more,
});

const annotated = (...names: string[]): FieldTree => ({
  "f:metadata": { "f:annotations": Object.fromEntries(names.map((name) => [`f:${name}`, {}])) },
});

const object = (annotations: Record<string, string>, ...managedFields: object[]) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: {
    name: "it",
    resourceVersion: "7",
    labels: {},
    annotations,
    finalizers: [],
    ownerReferences: [],
    managedFields,
  },
});

const ours = (fieldsV1: FieldTree) => ({
  manager: US,
  operation: "Apply",
  apiVersion: "networking.k8s.io/v1",
  fieldsType: "FieldsV1",
  fieldsV1,
});

test("the patch joins the managers' fields with ours and names the object's version", () => {
  const controller = entry("glbc", "Update", annotated("backends"));
  const status = entry("kubectl-edit", "Update", { "f:status": {} }, { subresource: "status" });
  const nudge = entry(US, "Update", annotated("synced"));
  const patch = adoptionPatch(
    object(
      { [LAST_APPLIED]: "{}", a: "1" },
      entry("kubectl-client-side-apply", "Update", annotated("a", LAST_APPLIED)),
      entry("kubectl-edit", "Update", { "f:spec": { "f:rules": {} } }),
      controller,
      entry(US, "Apply", annotated("b")),
      status,
      nudge,
    ),
    ["kubectl-client-side-apply", "kubectl-edit"],
  );
  expect(patch).toEqual([
    {
      op: "replace",
      path: "/metadata/managedFields",
      value: [
        { ...controller, subresource: "" },
        status,
        { ...nudge, subresource: "" },
        ours({ ...annotated("a", "b"), "f:spec": { "f:rules": {} } }),
      ],
    },
    { op: "replace", path: "/metadata/resourceVersion", value: "7" },
    { op: "remove", path: "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration" },
  ]);
});

test("the patch removes no annotation if kubectl apply has left none", () => {
  const patch = adoptionPatch(object({}, entry("helm", "Apply", { "f:spec": {} })), ["helm"]);
  expect(patch.map(({ path }) => path)).toEqual(["/metadata/managedFields", "/metadata/resourceVersion"]);
});

describe("afterAdoption", () => {
  const spec = { rules: [1], tls: [2], nested: { theirs: 1, ours: 2 } };
  const theirs: FieldTree = {
    ...annotated("a", "b", LAST_APPLIED),
    "f:spec": { "f:tls": {}, "f:rules": {}, "f:nested": { ".": {}, "f:theirs": {}, "f:ours": {} } },
  };
  const applied: FieldTree = { ...annotated("b"), "f:spec": { "f:rules": {}, "f:nested": { "f:ours": {} } } };
  const live = (...entries: object[]) => ({ ...object({}, ...entries), spec });
  const applying = (...entries: object[]) => ({
    ...object({ [LAST_APPLIED]: "{}", a: "1", b: "2", c: "3" }, ...entries),
    spec,
  });
  const person = entry("kubectl-client-side-apply", "Update", theirs);
  const controller = entry("glbc", "Update", annotated("c"));

  test("what only the former owner has set goes; what this action applies and what others write stays", () => {
    const result = afterAdoption(applying(person, controller, entry(US, "Apply", applied)), live(person));
    expect(result.metadata.annotations).toEqual({ b: "2", c: "3" });
    expect(result.spec).toEqual({ rules: [1], nested: { ours: 2 } });
  });

  test("without a record of who set what, everything from before belongs to the former owner", () => {
    const before = entry("before-first-apply", "Update", theirs);
    const result = afterAdoption(applying(before, entry(US, "Apply", applied)), live());
    expect(result.spec).toEqual({ rules: [1], nested: { ours: 2 } });
  });
});
