import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { StoredRelease } from "../../src/helm/stored-release.ts";
import { Ingress, type KubernetesObject, Service } from "../../src/kubernetes/objects.ts";
import type { ClientPolicy } from "../../src/observe/client-policy.ts";
import type { TeardownState } from "../../src/observe/teardown.ts";
import { planTeardown } from "../../src/plan/teardown.ts";
import { liveObject, NO_PROJECT, observed, STARTING, settings, storedRelease } from "../support/observed.ts";

const INGRESS = liveObject({ kind: "Ingress", metadata: { name: "my-release-milvus" }, spec: {} });
const SECRET = liveObject({ kind: "Secret", metadata: { name: "my-release-milvus-tls" } });
const AUTHORITY = liveObject({ kind: "Secret", metadata: { name: "my-release-milvus-tls-ca" } });
const BACKEND_CONFIG = liveObject({ kind: "BackendConfig", metadata: { name: "my-release-backendconfig" } });
const OURS = { service: { annotations: { "cloud.google.com/neg": '{"ingress": true}' } } };

/** An object whose fields Argo CD manages. */
function foreign(object: KubernetesObject): KubernetesObject {
  const managedFields = [{ manager: "argocd-controller", operation: "Apply", fieldsV1: { "f:spec": {} } }];
  return { ...object, metadata: { ...object.metadata, managedFields } };
}

function state(more: Partial<TeardownState> = {}): TeardownState {
  return {
    objects: [SECRET, AUTHORITY, BACKEND_CONFIG, INGRESS],
    ingressAddress: "203.0.113.1",
    manifests: [],
    otherIngresses: [],
    services: [],
    zone: undefined,
    hasRecord: false,
    staticAddress: undefined,
    clientPolicy: undefined,
    restorable: undefined,
    ...more,
  };
}

function restorable(
  revisions: readonly Partial<StoredRelease>[],
  release: Parameters<typeof observed>[1] = {},
): TeardownState["restorable"] {
  const history = revisions.map((revision, index) =>
    storedRelease({ revision: index + 1, status: "superseded", ...revision }),
  );
  return { release: observed(history.at(-1)?.values ?? {}, release).release, history };
}

describe("planTeardown", () => {
  test("removes the Ingress first, then what it refers to", () => {
    const plan = planTeardown(settings(), state());
    expect(plan.objects).toEqual(
      [INGRESS, BACKEND_CONFIG, SECRET, AUTHORITY].map(({ kind, metadata: { name } }) => ({
        kind,
        namespace: "default",
        name,
        uid: `uid-of-${name}`,
      })),
    );
    expect(plan.deletions.map(({ kind, action }) => `${kind}: ${action}`)).toEqual([
      "Ingress: delete",
      "BackendConfig: delete",
      "Secret: delete",
      "Secret: delete",
    ]);
    expect([plan.notes, plan.warnings, plan.restore]).toEqual([[], [], undefined]);
  });

  test("leaves an object of somebody else's alone, and notes it", () => {
    const plan = planTeardown(settings(), state({ objects: [INGRESS, foreign(SECRET)] }));
    expect(plan.objects.map(({ kind }) => kind)).toEqual(["Ingress"]);
    expect(plan.notes).toEqual([
      expect.stringMatching(/^Secret default\/my-release-milvus-tls was not made by this action .*argocd/),
    ]);
  });

  test("refuses an Ingress of somebody else's, unless it is adopted", () => {
    const found = state({ objects: [foreign(INGRESS)] });
    expect(() => planTeardown(settings(), found)).toThrow(
      /was not made by this action .* nothing was changed/,
    );
    expect(planTeardown(settings({ adopt: "true" }), found).objects).toHaveLength(1);
  });

  test("leaves what another Ingress needs", () => {
    const other = v.parse(Ingress, {
      metadata: { name: "other", namespace: "default" },
      spec: { tls: [{ secretName: "my-release-milvus-tls" }] },
    });
    const plan = planTeardown(settings(), state({ otherIngresses: [other] }));
    expect(plan.objects.map(({ kind }) => kind)).toEqual(["Ingress", "BackendConfig"]);
    expect(plan.notes).toEqual([
      "Secret default/my-release-milvus-tls is left alone: Ingress other needs it.",
      "Secret default/my-release-milvus-tls-ca is left alone: Ingress other needs it.",
    ]);
  });

  const POLICY = { name: "p", description: "ours", isOurs: true };
  test.each<[string, Partial<ClientPolicy>, Partial<TeardownState>, string[], string[]]>([
    ["deletes the policy of allowed_ranges", {}, {}, ["Cloud Armor policy p"], []],
    ["doesn't delete a policy that is gone", { live: undefined }, {}, [], []],
    [
      "leaves a policy of somebody else's",
      { isOurs: false },
      {},
      [],
      ["The Cloud Armor policy p is left alone: it was not made by this action."],
    ],
    [
      "leaves a policy that a BackendConfig names which stays",
      {},
      { objects: [INGRESS, foreign({ ...BACKEND_CONFIG, spec: { securityPolicy: { name: "p" } } })] },
      [],
      [
        expect.stringContaining("BackendConfig default/my-release-backendconfig was not made by this action"),
        "The Cloud Armor policy p is left alone: a BackendConfig that stays names it.",
      ],
    ],
  ])("%s", async (_, policy, more, deleted, notes) => {
    const live = { name: "p", description: "ours", rules: [] };
    const clientPolicy = { ...POLICY, project: NO_PROJECT, live, ...policy };
    const plan = planTeardown(settings(), state({ ...more, clientPolicy }));
    const google = plan.deletions.filter(({ kind }) => kind === "Cloud Armor policy");
    expect(google.map(({ kind, name }) => `${kind} ${name}`)).toEqual(deleted);
    expect(plan.clientPolicy).toEqual(deleted.length > 0 ? clientPolicy : undefined);
    expect(plan.notes).toEqual(notes);
  });

  test("deletes the user's own objects in reverse order, but no namespace", () => {
    const mine = ["first", "second"].map((name) => liveObject({ kind: "ConfigMap", metadata: { name } }));
    const namespace = liveObject({ kind: "Namespace", metadata: { name: "extra" } });
    const plan = planTeardown(settings(), state({ manifests: [namespace, ...mine] }));
    expect(plan.manifests.map(({ metadata }) => metadata.name)).toEqual(["second", "first"]);
    expect(plan.notes).toEqual(["Namespace extra is left alone: it may hold objects of others."]);
  });

  test("restores the values from before this action", () => {
    const values = { ...STARTING, service: { type: "ClusterIP", ...OURS.service } };
    const plan = planTeardown(
      settings(),
      state({ restorable: restorable([{ values: STARTING }, { values }]) }),
    );
    expect(plan.restore?.upgrade.reasons).toContain("value service.type becomes as it was in revision 1");
    expect(plan.warnings).toEqual([]);
  });

  test("is refused where another tool would undo it", () => {
    const flux = v.parse(Service, {
      metadata: {
        name: "my-release-milvus",
        labels: {
          "helm.toolkit.fluxcd.io/name": "milvus",
          "helm.toolkit.fluxcd.io/namespace": "flux-system",
        },
        annotations: { "meta.helm.sh/release-name": "my-release" },
      },
      spec: {},
    });
    const restoring = { services: [flux], restorable: restorable([{ values: STARTING }, { values: OURS }]) };
    const plan = (more: Partial<TeardownState>) => () => planTeardown(settings(), state(more));
    expect(plan(restoring)).toThrow(
      "is deployed by Flux (HelmRelease flux-system/milvus); nothing was changed.",
    );
    expect(plan(restoring)).toThrow(
      /set these values back in spec\.values of that HelmRelease .*service\.type/,
    );
    expect(plan({ services: [flux] })).not.toThrow();
  });

  test("warns when Helm's history no longer has the values from before this action", () => {
    const plan = planTeardown(settings(), state({ restorable: restorable([{ values: OURS }]) }));
    expect(plan.restore).toBeDefined();
    expect(plan.warnings).toEqual([expect.stringContaining("has no revision from before this action")]);
  });

  test.each([
    ["has none of this action's values", restorable([{ values: STARTING }])],
    ["is uninstalled", restorable([{ values: OURS }], { status: "uninstalled" })],
  ])("notes that the release stays as it is when it %s", (_, found) => {
    const plan = planTeardown(settings(), state({ restorable: found }));
    expect(plan.restore).toBeUndefined();
    expect(plan.notes).toEqual([expect.stringContaining("it stays as it is")]);
  });

  test("refuses a release with a pending revision", () => {
    const found = restorable([{ values: OURS }], { status: "pending-upgrade" });
    expect(() => planTeardown(settings(), state({ restorable: found }))).toThrow(
      /pending-upgrade.*nothing was/,
    );
  });
});
