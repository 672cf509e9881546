import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { StoredRelease } from "../../src/helm/stored-release.ts";
import { Ingress, type KubernetesObject, Service } from "../../src/kubernetes/objects.ts";
import type { ClientPolicy } from "../../src/observe/client-policy.ts";
import type { TeardownState } from "../../src/observe/teardown.ts";
import { planTeardown } from "../../src/plan/teardown.ts";
import {
  HOST,
  liveObject,
  NO_PROJECT,
  observed,
  STARTING,
  settings,
  storedRelease,
} from "../support/observed.ts";

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
    ownRecord: undefined,
    layer4Addresses: [],
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
  return { release: observed(history.at(-1)?.values ?? {}, release).release, history, workloads: [] };
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
    expect(plan.changes.map(({ kind, action }) => `${kind}: ${action}`)).toEqual([
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
    const plan = planTeardown(settings({ adopt: "true" }), found);
    expect(plan.objects).toHaveLength(1);
    expect(plan.warnings).toEqual([
      expect.stringMatching(/^Ingress default\/my-release-milvus was not made .* because adopt is true\.$/),
    ]);
  });

  test("warns of an object that was somebody else's before this action took it over", () => {
    const annotations = { "milvus-gke-load-balancer/kept": "spec.tls,spec.rules" };
    const taken = { ...INGRESS, metadata: { ...INGRESS.metadata, annotations } };
    const plan = planTeardown(settings(), state({ objects: [taken, SECRET] }));
    expect(plan.warnings).toEqual([
      "Ingress default/my-release-milvus was somebody else's before this action took it over: it is deleted, with what it has kept of theirs (spec.tls, spec.rules).",
    ]);
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
    const google = plan.changes.filter(({ kind }) => kind === "Cloud Armor policy");
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

  describe("with clients at the layer-7 load balancer", () => {
    const VALUES = {
      ...STARTING,
      service: { type: "ClusterIP", ...OURS.service },
      extraConfigFiles: { "user.yaml": "common: { security: { tlsMode: 1 } }\n" },
    };
    const service = (address?: string) =>
      v.parse(Service, {
        metadata: {
          name: "my-release-milvus",
          labels: { component: "proxy" },
          annotations: { "meta.helm.sh/release-name": "my-release" },
        },
        spec: { type: address ? "LoadBalancer" : "ClusterIP" },
        status: { loadBalancer: { ingress: address ? [{ ip: address }] : [] } },
      });
    const restoring = (more: Partial<TeardownState> = {}): TeardownState =>
      state({
        services: [service()],
        restorable: restorable([{ values: STARTING }, { values: VALUES }]),
        ...more,
      });
    const ownRecord = { isDeletable: true, target: "203.0.113.1" };

    test("brings the layer-4 load balancer back first, and moves the host's record", () => {
      const plan = planTeardown(settings(), restoring({ ownRecord }));
      expect(plan.restore?.wayBack).toEqual({
        service: "my-release-milvus",
        leaving: "203.0.113.1",
        upgrade: {
          values: {
            kind: "instead",
            values: { ...VALUES, service: { type: "LoadBalancer", ...OURS.service } },
          },
          changes: [{ path: "service.type", before: "ClusterIP", after: "LoadBalancer" }],
          reasons: ["value service.type becomes as it was in revision 1"],
        },
        movesRecord: true,
      });
      expect(plan.changes).toContainEqual({ kind: "DNS record", name: HOST, action: "change" });
      expect(plan.consequences).toEqual([
        expect.stringMatching(/is back before the layer-7 one at 203\.0\.113\.1 goes\. The DNS record of/),
        expect.stringContaining("must use TLS until then, and plaintext from then on"),
      ]);
    });

    test("goes on after a run that has brought it back", () => {
      const found = { services: [service("203.0.113.2")], layer4Addresses: ["203.0.113.2"] };
      const record = { isDeletable: false, target: "203.0.113.2" };
      const plan = planTeardown(settings(), restoring({ ...found, ownRecord: record }));
      expect(plan.restore?.wayBack).toMatchObject({ upgrade: undefined, movesRecord: true });
    });

    test.each<[string, Partial<TeardownState>]>([
      ["somebody else's", { ownRecord: { isDeletable: false, target: undefined } }],
      ["at another address", { ownRecord: { isDeletable: true, target: "198.51.100.1" } }],
    ])("leaves a record that is %s", (_, more) => {
      expect(planTeardown(settings(), restoring(more)).restore?.wayBack).toMatchObject({
        movesRecord: false,
      });
    });

    test.each<[string, Record<string, string>, Partial<TeardownState>, string]>([
      ["with keep_layer4: false", { keep_layer4: "false" }, {}, "because keep_layer4 is false."],
      [
        "of a release whose upgrade has failed",
        {},
        { restorable: restorable([{ values: STARTING }, { values: VALUES }], { status: "failed" }) },
        "because the newest Helm upgrade has failed.",
      ],
      [
        "of a release without a layer-4 load balancer",
        {},
        { restorable: restorable([{ values: {} }, { values: VALUES }]) },
        "goes: its clients reach nothing there from then on.",
      ],
      ["of a release that stays as it is", {}, { restorable: undefined }, "its clients reach nothing there"],
    ])("says before which time they reach nothing: %s", (_, inputs, more, consequence) => {
      const plan = planTeardown(settings(inputs), restoring({ ...more, ownRecord }));
      expect(plan.restore?.wayBack).toBeUndefined();
      expect(plan.consequences[0]).toContain(consequence);
      expect(plan.changes).toContainEqual({ kind: "DNS record", name: HOST, action: "delete" });
    });

    test("says nothing of clients where no layer-7 load balancer has an address", () => {
      const plan = planTeardown(settings(), restoring({ ingressAddress: undefined }));
      expect(plan.restore?.wayBack).toBeUndefined();
      expect(plan.consequences).toEqual([expect.stringContaining("plaintext")]);
    });

    test("keeps the number of pods that somebody has scaled the release to", () => {
      const named = (replicas: number) => ({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "my-release-milvus-querynode", labels: { component: "querynode" } },
        spec: { replicas },
      });
      const found = restorable([{ values: STARTING }, { values: VALUES }], {
        base: storedRelease({ values: VALUES, manifest: JSON.stringify(named(1)) }),
      });
      const restored = found && { ...found, workloads: [liveObject(named(6))] };
      const plan = planTeardown(settings(), restoring({ restorable: restored }));
      expect(plan.restore?.upgrade.values).toMatchObject({ values: { queryNode: { replicas: 6 } } });
      expect(plan.notes).toEqual([expect.stringContaining("keeps its 6 replicas")]);
    });
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
