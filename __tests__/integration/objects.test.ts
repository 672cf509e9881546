import { NetworkingV1Api, PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { adopt, adoptFields } from "../../src/kubernetes/adopt.ts";
import type { ApiServer, Manifest } from "../../src/kubernetes/api.ts";
import { dryRunApply } from "../../src/kubernetes/dry-run.ts";
import { managedFields } from "../../src/kubernetes/managed-fields.ts";
import type { FileManifest } from "../../src/kubernetes/manifest-documents.ts";
import { applyManifests, dryRunManifests } from "../../src/kubernetes/manifest-set.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { type Owner, ownerOf } from "../../src/kubernetes/ownership.ts";
import { refuseMissingRights, rightsOn } from "../../src/kubernetes/permissions.ts";
import {
  FRONTEND_CONFIG,
  LOAD_BALANCER,
  MANAGED_CERTIFICATE,
  RELEASE,
  rightsIn,
  TEARDOWN,
  type Verb,
} from "../../src/kubernetes/rights.ts";
import { objectChange } from "../../src/plan/changes.ts";
import { failure, useApiLab } from "../support/api-lab.ts";
import { captureLog } from "../support/job-log.ts";

const lab = useApiLab();
beforeAll(() => lab.createCrds());

captureLog();

const REAL = { dryRun: false };
const DRY_RUN = { dryRun: true };

function manifest(apiVersion: string, kind: string, namespace: string, more: object = {}): Manifest {
  return { apiVersion, kind, metadata: { name: "it", namespace }, ...more };
}

/** Returns an object that must be there. */
async function found(api: ApiServer, of: Manifest): Promise<KubernetesObject> {
  const object = await api.find(of);
  return object ?? expect.unreachable(`${of.kind} ${of.metadata.name} isn't there`);
}

describe("any kind of object", () => {
  test("isn't changed by a manifest because a controller has written to it after the look", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const certificate = manifest("networking.gke.io/v1", "ManagedCertificate", namespace, {
      spec: { domains: ["it.milvus.io"] },
    });
    await api.apply(certificate, REAL);
    const read = await found(api, certificate);
    const status = JSON.stringify({ status: { certificateStatus: "Provisioning", domainStatus: [] } });
    await lab.kubectl(["patch", "managedcertificate", "it", "-n", namespace, "--type=merge", "-p", status]);

    const { before, after } = await dryRunApply(api, certificate, read, { force: true });
    expect(objectChange(before, after)).toMatchObject({ action: "keep" });
    expect(before).toHaveProperty("status.certificateStatus", "Provisioning");
  });

  test("is applied and found wherever the API server has it", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const labels = { app: "it" };
    const deployment = manifest("apps/v1", "Deployment", namespace, {
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } },
      },
    });
    expect(await api.find(deployment)).toBeUndefined();
    expect(await api.apply(deployment, REAL)).toMatchObject({ kind: "Deployment", metadata: { namespace } });
    expect(await found(api, deployment)).toMatchObject({ spec: { replicas: 0 } });

    // Its namespace is the one that objects have which name none.
    const role = manifest("rbac.authorization.k8s.io/v1", "ClusterRole", namespace, { rules: [] });
    expect((await api.apply(role, REAL)).metadata.namespace).toBeUndefined();
    expect(await found(api, role)).toMatchObject({ kind: "ClusterRole" });

    const configMap = manifest("v1", "ConfigMap", namespace, { data: { key: "value" } });
    expect(await api.apply(configMap, DRY_RUN)).toMatchObject({ data: { key: "value" } });
    expect(await api.find(configMap)).toBeUndefined();
  });

  test("an API's kinds are asked for once", async () => {
    const api = await lab.throughGateway();
    const namespace = await lab.newNamespace();
    const asked = () => lab.gateway.paths.filter((path) => path === "/apis/policy/v1").length;
    const before = asked();
    const budget = (name: string) => ({
      ...manifest("policy/v1", "PodDisruptionBudget", namespace, { spec: { maxUnavailable: 1 } }),
      metadata: { name, namespace },
    });
    await Promise.all(["a", "b", "c"].map((name) => api.apply(budget(name), DRY_RUN)));
    expect(asked() - before).toBe(1);
  });

  test.each<[string, string, string, string]>([
    [
      "example.com/v1",
      "Widget",
      "the API server has no Widget in example.com/v1.",
      "install the CustomResourceDefinition of kind Widget in group example.com, version v1, before this step or with manifests, or correct",
    ],
    [
      "cloud.google.com/v1",
      "BackendPolicy",
      "the API server has no BackendPolicy in cloud.google.com/v1.",
      "install the CustomResourceDefinition of kind BackendPolicy",
    ],
    [
      "networking.k8s.io/v1beta1",
      "Ingress",
      "the API server has no networking.k8s.io/v1beta1, only networking.k8s.io/v1",
      "correct its apiVersion and kind.",
    ],
    [
      "apps/v1",
      "Deploiment",
      "the API server has no Deploiment in apps/v1.",
      "correct its apiVersion and kind.",
    ],
    ["v2", "Secret", "the API server has no v2, only v1.", "correct its apiVersion and kind."],
    ["v1", "Sekret", "the API server has no Sekret in v1.", "correct its apiVersion and kind."],
  ])("%s %s is none that the cluster knows", async (apiVersion, kind, why, fix) => {
    const { api } = lab;
    const unknown = manifest(apiVersion, kind, "default");
    expect(await api.find(unknown)).toBeUndefined();
    const message = await failure(api.apply(unknown, { dryRun: true, origin: "k8s/it.yaml, line 3" }));
    expect(message).toContain(
      `The cluster does not know the kind of ${kind} it (k8s/it.yaml, line 3); nothing was changed.\nWhy: ${why}`,
    );
    expect(message).toContain(`What to do: ${fix}`);
  });

  test("one that comes while this action runs is known then", async () => {
    const { api } = lab;
    const widget = manifest("example.org/v1", "Gadget", "default", { spec: { size: 1 } });
    expect(await api.find(widget)).toBeUndefined();
    await api.apply(
      {
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: { name: "gadgets.example.org" },
        ...{
          spec: {
            group: "example.org",
            scope: "Namespaced",
            names: { kind: "Gadget", plural: "gadgets" },
            versions: [
              {
                name: "v1",
                served: true,
                storage: true,
                schema: {
                  openAPIV3Schema: {
                    type: "object",
                    properties: { spec: { type: "object", properties: { size: { type: "integer" } } } },
                  },
                },
              },
            ],
          },
        },
      },
      REAL,
    );
    await lab.kubectl(["wait", "--for=condition=Established", "crd/gadgets.example.org", "--timeout=300s"]);
    await vi.waitFor(() => api.apply(widget, REAL), { timeout: 100_000 });
    expect(await found(api, widget)).toMatchObject({ spec: { size: 1 } });
  });

  test("a refusal says where the manifest stands", async () => {
    const { api } = lab;
    const wrong = manifest("v1", "ConfigMap", "default", { data: "text" });
    expect(await failure(api.apply(wrong, { dryRun: true, origin: "k8s/it.yaml, line 3" }))).toMatch(
      /^The API server refuses ConfigMap default\/it \(k8s\/it\.yaml, line 3\); nothing was changed\.\nWhy: /,
    );
  });
});

test.each<[Manifest["kind"], string, object]>([
  ["ManagedCertificate", "networking.gke.io/v1", { domains: ["my-release.milvus.io"] }],
  ["FrontendConfig", "networking.gke.io/v1beta1", { sslPolicy: "modern" }],
])("%s is one of this action's own kinds", async (kind, apiVersion, spec) => {
  const { api } = await lab.open();
  const namespace = await lab.newNamespace();
  expect(await api.apply(manifest(apiVersion, kind, namespace, { spec }), REAL)).toMatchObject({
    kind,
    spec,
  });
  const message = await failure(
    api.apply(manifest(apiVersion, kind, namespace, { spec: { typo: 1 } }), DRY_RUN),
  );
  expect(message).toContain("typo");
});

describe("fields of others", () => {
  test("are named with all who manage them, and taken over by force", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const configMap = (data: Record<string, string>) => manifest("v1", "ConfigMap", namespace, { data });
    await lab.kubectl(["apply", "-f", "-"], JSON.stringify(configMap({ a: "1", b: "1" })));
    const patch = ["patch", "configmap", "it", "-n", namespace, "--type=merge", "--field-manager=helm"];
    await lab.kubectl([...patch, "-p", '{"data":{"c":"1"}}']);

    const ours = configMap({ a: "2", b: "2", c: "2" });
    const message = await failure(api.apply(ours, DRY_RUN));
    expect(message).toContain(`ConfigMap ${namespace}/it has fields that something else manages; nothing`);
    expect(message).toContain(
      'Why: conflict with "helm": .data.c; conflicts with "kubectl-client-side-apply": .data.a, .data.b\n',
    );
    expect(message).toContain("What to do: set adopt to true");

    expect(await api.apply(ours, { dryRun: true, force: true })).toMatchObject({ data: { a: "2", c: "2" } });
    expect(await found(api, ours)).toMatchObject({ data: { a: "1", c: "1" } });
    await api.apply(ours, { dryRun: false, force: true });
    expect(await found(api, ours)).toMatchObject({ data: { a: "2", b: "2", c: "2" } });
    await api.apply(configMap({ a: "3" }), REAL);
  });
});

describe("manifests of the user's", () => {
  const ABORT = new AbortController().signal;
  const at = (manifest: Manifest, index: number): FileManifest => ({ manifest, origin: `it.yaml, ${index}` });
  const cluster = (apiVersion: string, kind: string, name: string, more: object = {}): Manifest => ({
    apiVersion,
    kind,
    metadata: { name },
    ...more,
  });
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  const definition = (group: string, names = { kind: "Widget", plural: "widgets" }) =>
    cluster("apiextensions.k8s.io/v1", "CustomResourceDefinition", `${names.plural}.${group}`, {
      spec: {
        group,
        scope: "Namespaced",
        names,
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    });

  test("may need each other: what no dry run can check yet is taken as written, then applied", async () => {
    const { api } = lab;
    const files = [
      definition("one.example.com"),
      cluster("v1", "Namespace", "comes"),
      manifest("one.example.com/v1", "Widget", "comes", { spec: { size: 1 } }),
      manifest("v1", "ConfigMap", "comes", { data: { key: "value" } }),
      manifest("v1", "ConfigMap", "default", { data: { key: "value" } }),
    ].map(at);
    const changes = async () =>
      (await dryRunManifests(api, files, { force: false })).map(({ before, after }) => {
        const isSame = before?.metadata.resourceVersion === after.metadata.resourceVersion;
        return `${after.kind} ${!before ? "create" : isSame ? "keep" : "change"}`;
      });
    expect(await changes()).toEqual([
      "CustomResourceDefinition create",
      "Namespace create",
      "Widget create",
      "ConfigMap create",
      "ConfigMap create",
    ]);
    for (const { manifest } of files) expect(await api.find(manifest)).toBeUndefined();

    await applyManifests(api, files, { force: false, signal: ABORT });
    for (const { manifest } of files) expect(await api.find(manifest)).toMatchObject(manifest);
    expect(await changes()).toEqual([
      "CustomResourceDefinition keep",
      "Namespace keep",
      "Widget keep",
      "ConfigMap keep",
      "ConfigMap keep",
    ]);
  });

  test("a definition that the cluster doesn't accept ends it at once", async () => {
    const { api } = lab;
    const names = { kind: "Gizmo", plural: "gizmos", shortNames: ["widgets"] };
    const rival = definition("two.example.com", names);
    const gizmo = manifest("two.example.com/v1", "Gizmo", "default");
    await applyManifests(api, [definition("two.example.com")].map(at), { force: false, signal: ABORT });
    await lab.kubectl([
      "wait",
      "--for=condition=Established",
      "crd/widgets.two.example.com",
      "--timeout=300s",
    ]);
    const applying = applyManifests(api, [rival, gizmo].map(at), { force: false, signal: ABORT });
    expect(await failure(applying)).toMatch(
      /^The cluster does not serve CustomResourceDefinition gizmos\.two\.example\.com of the manifests\.\nWhy: "widgets" is already in use/,
    );
  });

  test("a version that the definition doesn't serve is refused", async () => {
    const { api } = lab;
    const files = [definition("three.example.com"), manifest("three.example.com/v9", "Widget", "default")];
    expect(await failure(dryRunManifests(api, files.map(at), { force: false }))).toContain(
      "The cluster does not know the kind of Widget it (it.yaml, 1); nothing was changed.",
    );
  });

  test("are refused with where they stand, and with whom they share fields", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const theirs = manifest("v1", "ConfigMap", namespace, { data: { key: "theirs" } });
    await lab.kubectl(["create", "-f", "-"], JSON.stringify(theirs));
    const ours = [manifest("v1", "ConfigMap", namespace, { data: { key: "ours" } })].map(at);
    const message = await failure(dryRunManifests(api, ours, { force: false }));
    expect(message).toContain(
      `ConfigMap ${namespace}/it (it.yaml, 0) has fields that something else manages`,
    );
    expect(message).toContain('Why: conflict with "kubectl-create": .data.key\n');
    expect(message).toMatch(/set adopt to true .*, or take the object out of manifests\.$/);
    const [dryRun] = await dryRunManifests(api, ours, { force: true });
    expect(dryRun).toMatchObject({ before: theirs, after: { data: { key: "ours" } } });
    await applyManifests(api, ours, { force: true, signal: ABORT });
    expect(await found(api, theirs)).toMatchObject({ data: { key: "ours" } });
  });
});

describe("rights", () => {
  test("each set has what its requests need; what is missing is named once", async () => {
    const namespace = await lab.newNamespace();
    const role = {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: { name: "limited", namespace },
      rules: [
        { apiGroups: ["", "apps", "networking.k8s.io"], resources: ["*"], verbs: ["*"] },
        { apiGroups: ["cloud.google.com"], resources: ["*"], verbs: ["get", "create", "patch"] },
        { apiGroups: ["networking.gke.io"], resources: ["frontendconfigs"], verbs: ["*"] },
      ],
    };
    await lab.apply(role);
    await lab.apply({
      ...{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", metadata: role.metadata },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "limited" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "limited" }],
    });
    const { api } = await lab.open({ flags: ["--as=limited"] });
    await refuseMissingRights(api, rightsIn(namespace, RELEASE, LOAD_BALANCER, FRONTEND_CONFIG));
    const all = rightsIn(namespace, LOAD_BALANCER, MANAGED_CERTIFICATE, TEARDOWN, TEARDOWN);
    expect(await failure(refuseMissingRights(api, all))).toContain(
      `Why: in namespace ${namespace} it may not: get, list, watch, create, patch, delete managedcertificates.networking.gke.io; list, watch, delete backendconfigs.cloud.google.com.\n`,
    );
  });

  test("of objects are those on their kinds, as the cluster names them", async () => {
    const { api } = lab;
    const on = (apiVersion: string, kind: string, ...verbs: Verb[]) => ({
      apiVersion,
      kind,
      namespace: "n",
      verbs,
    });
    expect(
      await rightsOn(api, [
        on("policy/v1", "PodDisruptionBudget", "get", "patch"),
        on("policy/v1", "PodDisruptionBudget", "get"),
        on("rbac.authorization.k8s.io/v1", "ClusterRole", "create"),
        on("v1", "ServiceAccount", "delete"),
        on("example.com/v1", "Unknown", "get"),
      ]),
    ).toEqual([
      { namespace: "n", resource: "poddisruptionbudgets.policy", verb: "get" },
      { namespace: "n", resource: "poddisruptionbudgets.policy", verb: "patch" },
      { namespace: "", resource: "clusterroles.rbac.authorization.k8s.io", verb: "create" },
      { namespace: "n", resource: "serviceaccounts", verb: "delete" },
    ]);
  });
});

describe("delete", () => {
  const configured = async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const secret = manifest("v1", "Secret", namespace, { stringData: { key: "value" } });
    const { metadata } = await api.apply(secret, REAL);
    return { api, namespace, secret, uid: metadata.uid };
  };

  test("tells whether there was something to delete", async () => {
    const { api, namespace, secret, uid } = await configured();
    expect(await api.delete("Secret", namespace, "it", { uid, dryRun: true })).toBe(true);
    expect(await api.find(secret)).toBeDefined();
    expect(await api.delete("Secret", namespace, "it", { uid })).toBe(true);
    expect(await api.find(secret)).toBeUndefined();
    expect(await api.delete("Secret", namespace, "it", { uid })).toBe(false);
    expect(await api.delete("Ingress", "no-such-namespace", "it")).toBe(false);
  });

  test("leaves another object of the same name alone", async () => {
    const { api, namespace, secret, uid } = await configured();
    await api.delete("Secret", namespace, "it");
    await api.apply(secret, REAL);
    expect(await failure(api.delete("Secret", namespace, "it", { uid }))).toMatch(
      /^The API server does not delete Secret \S+\/it\.\nWhy: .*UID in the precondition.*\nWhat to do: somebody has deleted/s,
    );
    expect(await api.find(secret)).toBeDefined();
  });

  test("doesn't wait for finalizers", async () => {
    const { api, namespace, secret } = await configured();
    const hold = (...finalizers: string[]) =>
      lab.patch({ apiVersion: "v1", kind: "Secret", metadata: { name: "it", namespace, finalizers } });
    await hold("example.com/hold");
    expect(await api.delete("Secret", namespace, "it")).toBe(true);
    expect((await found(api, secret)).metadata.deletionTimestamp).toBeDefined();
    expect(await api.delete("Secret", namespace, "it")).toBe(true);
    await hold();
    expect(await api.find(secret)).toBeUndefined();
  });

  test("an account without the right gets an error that says so", async () => {
    const { api } = await lab.open({ flags: ["--as=nobody"] });
    expect(await failure(api.delete("Ingress", "default", "it"))).toMatch(
      /does not delete Ingress default\/it\.\nWhy: .*cannot delete resource "ingresses".*\nWhat to do: give the account/,
    );
  });
});

describe("adopt", () => {
  const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
  const rules = (service: string) => [
    {
      host: "my-release.milvus.io",
      http: {
        paths: [
          { path: "/", pathType: "Prefix", backend: { service: { name: service, port: { number: 1 } } } },
        ],
      },
    },
  ];
  const wanted = (namespace: string) => ({
    ...manifest("networking.k8s.io/v1", "Ingress", namespace, { spec: { rules: rules("ours") } }),
    metadata: { name: "it", namespace, annotations: { "kubernetes.io/ingress.class": "gce" } },
  });
  /** An Ingress as somebody has made it, with things that this action doesn't want. */
  const theirs = (namespace: string) => ({
    ...wanted(namespace),
    metadata: {
      name: "it",
      namespace,
      labels: { team: "search" },
      annotations: { "kubernetes.io/ingress.class": "nginx", "example.com/foreign": "yes" },
    },
    spec: { rules: rules("theirs"), ingressClassName: "nginx" },
  });
  const MANAGED_BY_HELM = '"app.kubernetes.io/managed-by":"Helm"';
  const named = (owner: Owner) => (owner.kind === "ours" ? [] : owner.managers);

  type Make = (namespace: string, json: string) => Promise<unknown>;
  const apply: Make = (_, json) => lab.kubectl(["apply", "-f", "-"], json);
  const annotate = (namespace: string, annotation: string) =>
    lab.kubectl(["annotate", "ingress", "it", "-n", namespace, annotation]);
  const serverSide = (manager: string): Make => {
    const flags = ["apply", "--server-side", `--field-manager=${manager}`, "-f", "-"];
    return (_, json) => lab.kubectl(flags, json);
  };

  /** Writes what GKE's controllers write, in their ways. */
  async function control(namespace: string): Promise<void> {
    const networking = lab.kubeConfig.makeApiClient(NetworkingV1Api);
    const its = { name: "it", namespace, fieldManager: "glbc" };
    const options = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
    const annotations = { "ingress.kubernetes.io/backends": '{"b":"HEALTHY"}' };
    const metadata = { annotations, finalizers: ["example.com/finalizer"] };
    await networking.patchNamespacedIngress({ ...its, body: { metadata } }, options);
    const status = { loadBalancer: { ingress: [{ ip: "192.0.2.7" }] } };
    await networking.patchNamespacedIngressStatus({ ...its, body: { status } }, options);
  }

  test.each<[string, Owner["kind"], string[], Make]>([
    ["kubectl apply", "kubectl", ["kubectl-client-side-apply"], apply],
    ["kubectl create", "kubectl", ["kubectl-create"], (_, json) => lab.kubectl(["create", "-f", "-"], json)],
    ["kubectl apply --server-side", "kubectl", ["kubectl"], serverSide("kubectl")],
    [
      "kubectl apply and annotate",
      "kubectl",
      ["kubectl-annotate", "kubectl-client-side-apply"],
      async (namespace, json) => {
        await apply(namespace, json);
        await annotate(namespace, "example.com/by-hand=1");
      },
    ],
    [
      "kubectl apply and edit",
      "kubectl",
      ["kubectl-client-side-apply", "kubectl-patch"],
      async (namespace, json) => {
        await apply(namespace, json);
        const spec = JSON.stringify({
          spec: { defaultBackend: { service: { name: "d", port: { number: 1 } } } },
        });
        await lab.kubectl(["patch", "ingress", "it", "-n", namespace, "--type=merge", "-p", spec]);
      },
    ],
    [
      "helm template and kubectl apply",
      "other",
      ["kubectl-client-side-apply"],
      (_, json) => lab.kubectl(["apply", "-f", "-"], json.replace('"team":"search"', MANAGED_BY_HELM)),
    ],
    [
      "Helm 3",
      "other",
      ["helm"],
      (_, json) => {
        const marked = json.replace('"example.com/foreign"', '"meta.helm.sh/release-name":"web",$&');
        const flags = ["create", "--field-manager=helm", "-f", "-"];
        return lab.kubectl(flags, marked.replace('"team":"search"', MANAGED_BY_HELM));
      },
    ],
    ["Helm 4", "other", ["helm"], serverSide("helm")],
    [
      "Argo CD, then a person",
      "other",
      ["argocd-controller", "kubectl-annotate"],
      async (namespace, json) => {
        await serverSide("argocd-controller")(namespace, json);
        await annotate(namespace, "example.com/by-hand=1");
      },
    ],
  ])(
    "adopt keeps of an object made by %s only what the manifest has and what controllers wrote",
    async (_, kind, who, make) => {
      const { api } = lab;
      const namespace = await lab.newNamespace();
      await make(namespace, JSON.stringify(theirs(namespace)));
      await control(namespace);
      const ours = wanted(namespace);
      const before = await found(api, ours);
      const owner = ownerOf(before);
      expect(owner.kind).toBe(kind);
      expect(named(owner).toSorted()).toEqual(who);

      await adopt(api, ours, before);
      const after = await found(api, ours);
      expect(after.metadata).toMatchObject({
        uid: before.metadata.uid,
        labels: {},
        finalizers: ["example.com/finalizer"],
      });
      expect(after.metadata.annotations).toEqual({
        "kubernetes.io/ingress.class": "gce",
        "ingress.kubernetes.io/backends": '{"b":"HEALTHY"}',
      });
      expect(after).toMatchObject({ status: { loadBalancer: { ingress: [{ ip: "192.0.2.7" }] } } });
      expect(after).toHaveProperty("spec", { rules: rules("ours") });
      expect(managedFields(after).map(({ manager, subresource }) => `${manager} ${subresource}`)).toEqual([
        "milvus-gke-load-balancer ",
        "glbc ",
        "glbc status",
      ]);
      expect(ownerOf(after)).toEqual({ kind: "ours" });

      // Nothing is left to do.
      expect(await api.apply(ours, REAL)).toEqual(after);
    },
  );

  test("a forced apply alone keeps what others set", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    await apply(namespace, JSON.stringify(theirs(namespace)));
    const { metadata } = await api.apply(wanted(namespace), { dryRun: false, force: true });
    expect(metadata.annotations).toMatchObject({ "example.com/foreign": "yes" });
    expect(Object.keys(metadata.annotations)).toContain(LAST_APPLIED);
  });

  test("adopt makes an object without managed fields ours", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    await apply(namespace, JSON.stringify(theirs(namespace)));
    const ours = wanted(namespace);
    await lab.patch({ ...ours, metadata: { name: "it", namespace, managedFields: [{}] } });
    const before = await found(api, ours);
    expect(ownerOf(before)).toEqual({ kind: "other", managers: [], signs: [] });
    await adopt(api, ours, before);
    const after = await found(api, ours);
    expect(ownerOf(after)).toEqual({ kind: "ours" });
    expect(after).toMatchObject({ metadata: wanted(namespace).metadata, spec: { rules: rules("ours") } });
    expect(after.metadata.annotations).toEqual(ours.metadata.annotations);
  });

  test("a dry run explains that a field is immutable", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    await lab.kubectl(["create", "secret", "generic", "it", "-n", namespace, "--from-literal=key=value"]);
    const ours = manifest("v1", "Secret", namespace, {
      type: "kubernetes.io/tls",
      data: { "tls.crt": "", "tls.key": "" },
    });
    const opaque = await found(api, ours);
    expect(ownerOf(opaque)).toEqual({ kind: "kubectl", managers: ["kubectl-create"] });
    expect(await failure(api.apply(ours, { dryRun: true, force: true }))).toMatch(
      /^The API server refuses Secret \S+; nothing was changed\.\nWhy: .*field is immutable.*\nWhat to do: that field/s,
    );
  });

  test("adopt reverts what a person edited on an object of ours", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    const ours = wanted(namespace);
    await api.apply(ours, REAL);
    const patch = JSON.stringify({ spec: { rules: rules("edited") } });
    await lab.kubectl(["patch", "ingress", "it", "-n", namespace, "--type=merge", "-p", patch]);
    const edited = await found(api, ours);
    expect(ownerOf(edited)).toEqual({ kind: "ours" });
    expect(await failure(api.apply(ours, REAL))).toContain('conflict with "kubectl-patch": .spec.rules');
    await adopt(api, ours, edited);
    const after = await found(api, ours);
    expect(after).toHaveProperty("spec", { rules: rules("ours") });
  });

  test("adoptFields reads an object again each time that a controller changes it", async () => {
    const api = await lab.throughGateway();
    const namespace = await lab.newNamespace();
    await apply(namespace, JSON.stringify(theirs(namespace)));
    const stale = await found(api, wanted(namespace));
    let writes = 0;
    lab.gateway.intercept = async (path) => {
      const isPatch = path.includes("/ingresses/it?");
      if (isPatch && writes < 3) await annotate(namespace, `example.com/later-${++writes}=1`);
      return false;
    };
    const adopted = await adoptFields(api, stale, ["kubectl-client-side-apply"]);
    expect(managedFields(adopted).map(({ manager }) => manager)).toEqual([
      "milvus-gke-load-balancer",
      "kubectl-annotate",
    ]);
    expect(adopted.metadata.annotations).toMatchObject({
      "example.com/foreign": "yes",
      "example.com/later-3": "1",
    });
    expect(Object.keys(adopted.metadata.annotations)).not.toContain(LAST_APPLIED);
  });

  test("adoptFields rejects if the object is gone or may not be changed", async () => {
    const { api } = lab;
    const namespace = await lab.newNamespace();
    await apply(namespace, JSON.stringify(theirs(namespace)));
    const before = await found(api, wanted(namespace));
    const { api: nobody } = await lab.open({ flags: ["--as=nobody"] });
    expect(await failure(adoptFields(nobody, before, ["kubectl"]))).toMatch(
      /The API server does not change Ingress \S+\/it\.\nWhy: .*cannot patch/,
    );
    await api.delete("Ingress", namespace, "it");
    expect(await failure(adoptFields(api, before, ["kubectl"]))).toMatch(
      /The API server does not change Ingress \S+\/it\.\nWhy: .*"it" not found/,
    );
  });
});
