import { describe, expect, test } from "vitest";
import type { ObjectChange } from "../../src/plan/changes.ts";
import { makePlan } from "../../src/plan/plan.ts";
import { planRelease } from "../../src/plan/release.ts";
import { describePlan, reportPlan } from "../../src/report/plan.ts";
import type { PlanReport } from "../../src/report/run-report.ts";
import { summaryOf } from "../../src/report/summary.ts";
import { observed, STARTING, settings, withCertificate } from "../support/observed.ts";

const SECRET = "correct-horse-battery-staple";
const REMOVED = "tr0ub4dor-and-3";

/** A run that meets secrets wherever a user can have them. */
function planWithSecrets() {
  const values = [
    `minio: {accessKey: ${SECRET}, secretKey: ${SECRET}}`,
    "service:",
    `  annotations: {example.com/token: ${SECRET}}`,
    `  loadBalancerIP: ${SECRET}`,
    `  typeOfSecret: ${SECRET}`,
    "externalS3: null",
    "metrics: {enabled: true}",
    `extraConfigFiles: {user.yaml: "common: {security: {defaultRootPassword: ${SECRET}}}"}`,
  ].join("\n");
  const inputs = { values, keep_layer4: "true", adopt: "true" };
  const release = { ...STARTING, externalS3: { secretKey: REMOVED }, minio: { secretKey: REMOVED } };
  const seen = withCertificate(observed(release), { certificate: SECRET, privateKey: SECRET });
  const plan = planRelease(settings(inputs), seen);
  return { ...makePlan(settings(inputs), seen, plan, undefined, []), rendered: RENDERED };
}

const OBJECTS: ObjectChange[] = [
  { kind: "Secret", name: "t", action: "create" },
  { kind: "Ingress", name: "i", action: "keep" },
];
const RENDERED = {
  restarts: [{ kind: "Deployment", name: "d" }],
  creates: [{ kind: "ConfigMap", name: "c" }],
  deletes: [{ kind: "Service", name: "s" }],
  fields: [{ kind: "Service", name: "m", path: "spec.type", before: "LoadBalancer", after: "ClusterIP" }],
  edits: [],
  overwrites: [],
  manifest: "",
  hooks: [],
  milvusVersion: "2.6.15",
  warnings: [],
};

describe("reportPlan", () => {
  const report = reportPlan(
    planWithSecrets(),
    OBJECTS,
    ["It means x."],
    [{ path: "minio.secretKey", revision: 2 }],
  );

  test("shows no value that may be secret, in JSON, log or summary", () => {
    const known = { changes: 0, steps: [], plan: report };
    const everything = [
      JSON.stringify(report),
      ...describePlan(report),
      summaryOf(known, "plan", undefined),
      summaryOf(known, "deploy", "it failed"),
    ].join("\n");
    expect(everything).not.toContain(SECRET);
    expect(everything).not.toContain(REMOVED);
  });

  test("has the paths of all changes, and this action's own values", () => {
    const changes = new Map(report.values.map(({ path, before, after }) => [path, { before, after }]));
    const added = { before: undefined, after: "***" };
    const changed = { before: "***", after: "***" };
    for (const [path, change] of [
      ["minio.accessKey", added],
      ["minio.secretKey", changed],
      ['service.annotations."example.com/token"', added],
      ["service.loadBalancerIP", added],
      ["service.typeOfSecret", added],
      ["externalS3", { before: "***", after: undefined }],
      ['extraConfigFiles."user.yaml".common.security.defaultRootPassword', added],
      ['extraConfigFiles."user.yaml".common.security.tlsMode', { before: undefined, after: "1" }],
      ['extraConfigFiles."user.yaml".proxy.http.port', { before: undefined, after: "8080" }],
      ["metrics.enabled", { before: undefined, after: true }],
    ] as const) {
      expect(changes.get(path), path).toEqual(change);
    }
    expect(changes.get("service.type")).toEqual({ before: "LoadBalancer", after: "ClusterIP" });
    expect(changes.get('service.annotations."cloud.google.com/neg"')).toEqual({
      before: undefined,
      after: '{"ingress":true}',
    });
  });

  test("has the release's objects, then the load balancer's, and restarts, consequences and lost values", () => {
    expect(report).toMatchObject({
      later: ["value service.type changes"],
      objects: [
        { kind: "ConfigMap", name: "c", action: "create", ofRelease: true },
        { kind: "Service", name: "s", action: "delete", ofRelease: true },
        ...OBJECTS,
      ],
      restarts: ["Deployment d"],
      consequences: ["It means x."],
    });
    expect(report.lost).toEqual([{ path: "minio.secretKey", revision: 2 }]);
  });

  test("has no upgrade for a release that stays as it is", () => {
    const settled = {
      ...planWithSecrets(),
      rendered: undefined,
      release: { ...planWithSecrets().release, upgrade: undefined, switchOver: undefined },
    };
    expect(reportPlan(settled, [], [], [])).toEqual({
      upgrade: [],
      later: [],
      values: [],
      objects: [],
      fields: [],
      edits: [],
      restarts: [],
      consequences: [],
      lost: [],
    });
  });
});

describe("describePlan", () => {
  const NOTHING: PlanReport = {
    upgrade: [],
    later: [],
    values: [],
    objects: [],
    fields: [],
    edits: [],
    restarts: [],
    consequences: [],
    lost: [],
  };
  test.each<[string, Partial<PlanReport>, string[]]>([
    ["nothing", {}, ["The release stays as it is: no Helm upgrade."]],
    ["an upgrade", { upgrade: ["a", "b"] }, ["Helm changes the release:\n- a\n- b"]],
    [
      "an upgrade that replaces pods",
      { upgrade: ["a"], restarts: ["Deployment d", "StatefulSet s"] },
      ["Helm changes the release:\n- a", "Helm replaces the pods of Deployment d, StatefulSet s."],
    ],
    [
      "an upgrade and one more",
      { upgrade: ["a"], later: ["b"] },
      [
        "Helm changes the release:\n- a",
        "Helm changes the release again once Milvus answers through the load balancer:\n- b",
      ],
    ],
    [
      "only the later one",
      { later: ["b"] },
      ["Helm changes the release once Milvus answers through the load balancer:\n- b"],
    ],
    [
      "a checksum by its beginning",
      {
        upgrade: ["a"],
        fields: [
          {
            kind: "Deployment",
            name: "d",
            path: 'x["checksum/config"]',
            before: "0123456789abcdef",
            after: "f".repeat(64),
          },
        ],
      },
      [
        "Helm changes the release:\n- a",
        'Fields of the release\'s objects that change:\n- Deployment d: x["checksum/config"]: 0123456789ab -> ffffffffffff',
      ],
    ],
    [
      "objects and what it means",
      { objects: OBJECTS, consequences: ["It means x."] },
      ["The release stays as it is: no Helm upgrade.", "Secret t: create", "Ingress i: keep", "It means x."],
    ],
  ])("%s", (_, parts, lines) => {
    expect(describePlan({ ...NOTHING, ...parts })).toEqual(lines);
  });
});
