import * as v from "valibot";
import { expect, test } from "vitest";
import { deployerOf } from "../../src/kubernetes/deployers.ts";
import { ListedObject } from "../../src/kubernetes/objects.ts";

const object = (metadata: object) =>
  v.parse(ListedObject, { metadata: { name: "x", namespace: "n", ...metadata } });
const PLAIN = object({
  labels: { "app.kubernetes.io/instance": "my-release" },
  annotations: { "meta.helm.sh/release-name": "my-release" },
  ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "r" }],
});

test.each([
  [
    "Flux's labels",
    {
      labels: { "helm.toolkit.fluxcd.io/name": "milvus", "helm.toolkit.fluxcd.io/namespace": "flux-system" },
    },
    { tool: "Flux", object: "HelmRelease flux-system/milvus" },
  ],
  [
    "Argo CD's annotation",
    { annotations: { "argocd.argoproj.io/tracking-id": "vectors:apps/Deployment:n/x" } },
    { tool: "Argo CD", object: "Application vectors" },
  ],
  [
    "Argo CD's label",
    { labels: { "argocd.argoproj.io/instance": "vectors" } },
    { tool: "Argo CD", object: "Application vectors" },
  ],
  [
    "Milvus Operator's ownership",
    { ownerReferences: [{ apiVersion: "milvus.io/v1beta1", kind: "Milvus", name: "my-release" }] },
    { tool: "Milvus Operator", object: "Milvus n/my-release" },
  ],
])("%s", (_, metadata, deployer) => {
  expect(deployerOf([PLAIN, object(metadata)])).toEqual(deployer);
});

test("Helm alone is no such tool, nor is another kind called Milvus", () => {
  const other = object({ ownerReferences: [{ apiVersion: "example.com/v1", kind: "Milvus", name: "m" }] });
  expect(deployerOf([PLAIN, other])).toBeUndefined();
});
