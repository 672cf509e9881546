import { describe, expect, test } from "vitest";
import { conflictError, conflictsIn, refusal } from "../../src/kubernetes/answers.ts";
import { resourceOf } from "../../src/kubernetes/resources.ts";

const status = (code: number, more: object) => ({
  code,
  body: JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", code, ...more }),
});

const cause = (message: string, field: string) => ({ reason: "FieldManagerConflict", message, field });

describe("conflicts", () => {
  test("are told by manager, whatever else is said of it", () => {
    const causes = [
      cause('conflict with "helm" using networking.k8s.io/v1', ".spec.rules"),
      cause('conflict with "kubectl-edit" using networking.k8s.io/v1 at 2030-01-01T00:00:00Z', ".spec.tls"),
      cause('conflict with "helm" with subresource "status" using networking.k8s.io/v1', ".status"),
      { reason: "FieldValueInvalid", message: "no conflict", field: ".spec" },
    ];
    expect(conflictsIn(status(409, { reason: "Conflict", details: { causes } }))).toEqual(
      new Map([
        ["helm", [".spec.rules", ".status"]],
        ["kubectl-edit", [".spec.tls"]],
      ]),
    );
  });

  test.each([
    ["a version that isn't the newest", status(409, { reason: "Conflict", message: "has been modified" })],
    ["another refusal", status(422, { details: { causes: [cause('conflict with "a"', ".b")] } })],
    ["an answer of something else", { code: 409, body: "<html>" }],
  ])("are none: %s", (_, answer) => {
    expect(conflictsIn(answer)).toEqual(new Map());
  });

  test("are told in one order, whichever the API server names them in", () => {
    const conflicts = new Map([
      ["kubectl-edit", [".data.b", ".data.a"]],
      ["helm", [".data.c"]],
    ]);
    expect(conflictError("ConfigMap a/b", conflicts, { dryRun: true, isOwn: false }).message).toContain(
      'Why: conflict with "helm": .data.c; conflicts with "kubectl-edit": .data.a, .data.b\n',
    );
  });

  test.each([
    [{ dryRun: true, isOwn: true }, /; nothing was changed\.\n.*give this action's objects other names/s],
    [{ dryRun: false, isOwn: true }, /^Applying Ingress a\/b failed: .*other names \(ingress_name/s],
    [{ dryRun: true, isOwn: false }, /, or take the object out of manifests\.$/],
  ])("%o", (options, message) => {
    expect(conflictError("Ingress a/b", new Map([["helm", [".spec"]]]), options).message).toMatch(message);
  });
});

describe("refusal", () => {
  const ingress = resourceOf("ManagedCertificate");
  test.each<[string, { code: number; body: string }, RegExp]>([
    [
      "a kind that isn't there",
      { code: 404, body: "404 page not found\n" },
      /^The cluster has no ManagedCertificate; nothing was changed\.\nWhy: .*networking\.gke\.io\/v1, .*\n.*HttpLoadBalancing/,
    ],
    [
      "an object that isn't there",
      status(404, { reason: "NotFound", message: '"a" not found' }),
      /^What\.\nWhy: "a" not found$/,
    ],
    ["no word", { code: 500, body: "" }, /^What\.\nWhy: HTTP status 500$/],
    ["another's word", { code: 502, body: "Bad Gateway\n" }, /^What\.\nWhy: Bad Gateway$/],
  ])("%s", (_, answer, message) => {
    expect(refusal("What.", answer, ingress).message).toMatch(message);
  });
});
