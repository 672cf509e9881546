import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { objectChanges } from "../../src/plan/changes.ts";

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
