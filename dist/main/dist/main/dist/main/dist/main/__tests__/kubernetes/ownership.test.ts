import { describe, expect, test } from "vitest";
import type { FieldTree } from "../../src/kubernetes/field-tree.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { type Owner, ownerOf } from "../../src/kubernetes/ownership.ts";

const SPEC: FieldTree = { "f:metadata": { "f:annotations": { "f:a": {} } }, "f:spec": { "f:rules": {} } };
const METADATA: FieldTree = {
  "f:metadata": { "f:annotations": { "f:ingress.kubernetes.io/backends": {} }, "f:finalizers": {} },
};
const STATUS: FieldTree = { "f:status": { "f:certificateStatus": {} } };

const by = (
  manager: string,
  operation: "Apply" | "Update" = "Update",
  fieldsV1: FieldTree = SPEC,
  subresource?: string,
) => ({
  manager,
  operation,
  apiVersion: "networking.k8s.io/v1",
  fieldsType: "FieldsV1",
  fieldsV1,
  subresource,
});
const ours = by("milvus-gke-load-balancer", "Apply");
const nudged = by("milvus-gke-load-balancer", "Update", METADATA);
const controller = by("GoogleGKE", "Update", METADATA);
const status = by("glbc", "Update", STATUS, "status");

const object = (managedFields: unknown, metadata: Partial<KubernetesObject["metadata"]> = {}) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: {
    name: "my-release-milvus",
    namespace: "default",
    labels: {},
    annotations: {},
    finalizers: [],
    ownerReferences: [],
    ...metadata,
    managedFields,
  },
});

const kubectl = (...managers: string[]): Owner => ({ kind: "kubectl", managers });
const other = (...managers: string[]): Owner => ({ kind: "other", managers, signs: [] });

describe("ownerOf tells by the managed fields that the owner is", () => {
  test.each<[string, object[], Owner]>([
    ["this action", [ours], { kind: "ours" }],
    ["this action, with Google's controllers", [ours, nudged, controller, status], { kind: "ours" }],
    [
      "this action, annotated by a person",
      [ours, by("kubectl-annotate", "Update", METADATA)],
      { kind: "ours" },
    ],
    ["this action, edited by a person", [ours, by("kubectl-edit")], { kind: "ours" }],
    [
      "this action, edited by a person in all it is there for",
      [by("milvus-gke-load-balancer", "Apply", METADATA), by("kubectl-patch")],
      { kind: "ours" },
    ],
    ["this action and another tool", [ours, by("helm")], other("helm")],
    ["kubectl apply", [by("kubectl-client-side-apply")], kubectl("kubectl-client-side-apply")],
    [
      "kubectl apply, nudged by this action",
      [by("kubectl-client-side-apply"), nudged],
      kubectl("kubectl-client-side-apply"),
    ],
    ["kubectl apply --server-side", [by("kubectl", "Apply")], kubectl("kubectl")],
    ["kubectl on Windows", [by("kubectl.exe")], kubectl("kubectl.exe")],
    [
      "kubectl create, annotate and edit, with Google's controllers",
      [
        by("kubectl-create"),
        controller,
        by("kubectl-annotate", "Update", METADATA),
        by("kubectl-edit"),
        status,
      ],
      kubectl("kubectl-create", "kubectl-annotate", "kubectl-edit"),
    ],
    [
      "one manager twice",
      [by("kubectl-edit"), by("kubectl-edit", "Update", METADATA)],
      kubectl("kubectl-edit"),
    ],
    ["Helm", [by("helm")], other("helm")],
    ["Argo CD", [by("argocd-controller", "Apply"), status], other("argocd-controller")],
    ["Flux", [by("kustomize-controller", "Apply")], other("kustomize-controller")],
    ["Terraform", [by("Terraform", "Apply"), by("kubectl-edit")], other("Terraform", "kubectl-edit")],
    ["a program that is called nearly like kubectl", [by("kubectlx")], other("kubectlx")],
    [
      "a controller that has no status subresource",
      [ours, by("manager", "Update", STATUS)],
      { kind: "ours" },
    ],
    [
      "this action, with writers of subresources",
      [ours, by("autoscaler", "Update", SPEC, "scale"), by("kubectl-patch", "Update", STATUS, "status")],
      { kind: "ours" },
    ],
    [
      "nobody, with writers of subresources",
      [by("autoscaler", "Update", SPEC, "scale"), by("kubectl-patch", "Update", STATUS, "status")],
      other(),
    ],
    [
      "a Secret's data",
      [by("cert-manager", "Update", { "f:data": {}, "f:type": {} })],
      other("cert-manager"),
    ],
    ["nobody", [], other()],
    ["Google's controllers alone", [controller, status], other()],
  ])("%s", (_, managedFields, owner) => {
    expect(ownerOf(object(managedFields))).toEqual(owner);
  });

  test("somebody unknown if there are none", () => {
    expect(ownerOf(object(undefined))).toEqual(other());
  });
});

describe("ownerOf tells by the metadata", () => {
  test.each<[string, Partial<KubernetesObject["metadata"]>, string | undefined]>([
    [
      "a Helm release's annotations",
      { annotations: { "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "prod" } },
      "it belongs to Helm release prod/web",
    ],
    [
      "Argo CD's annotation",
      { annotations: { "argocd.argoproj.io/tracking-id": "app:networking.k8s.io/Ingress:default/x" } },
      "its annotation argocd.argoproj.io/tracking-id is app:networking.k8s.io/Ingress:default/x",
    ],
    [
      "a tool's label",
      { labels: { "app.kubernetes.io/managed-by": "Helm" } },
      "its label app.kubernetes.io/managed-by is Helm",
    ],
    ["an owner", { ownerReferences: [{ kind: "Certificate", name: "tls" }] }, "its owner is Certificate tls"],
    [
      "this action's label",
      { labels: { "app.kubernetes.io/managed-by": "milvus-gke-load-balancer" } },
      undefined,
    ],
    ["any other label", { labels: { app: "milvus" } }, undefined],
  ])("%s", (_, metadata, sign) => {
    expect(ownerOf(object([ours], metadata))).toEqual(
      sign === undefined ? { kind: "ours" } : { kind: "other", managers: [], signs: [sign] },
    );
  });
});
