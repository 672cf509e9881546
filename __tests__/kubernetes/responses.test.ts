import { describe, expect, test } from "vitest";
import { resourceOf } from "../../src/kubernetes/resources.ts";
import { apiError, conflictError, conflictsIn, isBusy, isFromProxy } from "../../src/kubernetes/responses.ts";

const status = (code: number, more: object) => ({
  code,
  body: JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", code, ...more }),
});

const cause = (message: string, field: string) => ({ reason: "FieldManagerConflict", message, field });

describe("conflictsIn", () => {
  test("returns the fields of each manager, without other causes", () => {
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
    ["an outdated version of the object", status(409, { reason: "Conflict", message: "has been modified" })],
    ["another status code", status(422, { details: { causes: [cause('conflict with "a"', ".b")] } })],
    ["a response that is no Status", { code: 409, body: "<html>" }],
  ])("returns nothing for %s", (_, response) => {
    expect(conflictsIn(response)).toEqual(new Map());
  });
});

describe("a response that may be another one soon", () => {
  const lost = { code: 502, body: "dial tcp 127.0.0.1:6443: connect: connection refused\n" };
  test.each([
    ["kubectl proxy without a connection", lost, { fromProxy: true, busy: false }],
    [
      "kubectl proxy after a hang-up",
      { code: 500, body: "unexpected EOF" },
      { fromProxy: true, busy: false },
    ],
    ["kubectl proxy without credentials", { code: 500, body: "getting credentials: exec: no plugin" }, {}],
    ["an API server that has no time", status(429, { message: "too many requests" }), { busy: true }],
    ["an API server that is starting", status(503, { message: "not ready" }), { busy: true }],
    ["etcd without a leader", status(500, { message: "etcdserver: leader changed" }), { busy: true }],
    ["a webhook that fails", status(500, { message: "failed calling webhook: connection refused" }), {}],
    [
      "an object that doesn't fit its schema",
      status(500, {
        message: "failed to create typed patch object (a/b; v1, Kind=ConfigMap): .data: expected map",
      }),
      {},
    ],
    [
      "an object whose schema is new",
      status(500, {
        message: "failed to create typed patch object (a/b; x/v1, Kind=A): no corresponding type",
      }),
      { busy: true },
    ],
    ["a refusal", status(403, { message: "forbidden: timeout" }), {}],
    ["an object", { code: 200, body: '{"data":"EOF"}' }, {}],
  ])("%s", (_, response, { fromProxy = false, busy = false }: { fromProxy?: boolean; busy?: boolean }) => {
    expect({ fromProxy: isFromProxy(response), busy: isBusy(response) }).toEqual({ fromProxy, busy });
  });
});

describe("conflictError", () => {
  test("sorts managers and fields, as the API server lists them in any order", () => {
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
  ])("names what to change with %o", (options, message) => {
    expect(conflictError("Ingress a/b", new Map([["helm", [".spec"]]]), options).message).toMatch(message);
  });
});

describe("apiError", () => {
  const certificate = resourceOf("ManagedCertificate");
  test.each<[string, { code: number; body: string }, RegExp]>([
    [
      "a missing kind",
      { code: 404, body: "404 page not found\n" },
      /^The cluster has no ManagedCertificate; nothing was changed\.\nWhy: .*networking\.gke\.io\/v1, .*\n.*HttpLoadBalancing/,
    ],
    [
      "a missing object",
      status(404, { reason: "NotFound", message: '"a" not found' }),
      /^What\.\nWhy: "a" not found$/,
    ],
    ["an empty body", { code: 500, body: "" }, /^What\.\nWhy: HTTP status 500$/],
    ["a body that is no Status", { code: 502, body: "Bad Gateway\n" }, /^What\.\nWhy: Bad Gateway$/],
  ])("explains %s", (_, response, message) => {
    expect(apiError("What.", response, certificate).message).toMatch(message);
  });
});
