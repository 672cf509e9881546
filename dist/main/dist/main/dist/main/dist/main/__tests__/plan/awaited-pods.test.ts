import { expect, test } from "vitest";
import { parseManifest } from "../../src/helm/manifest.ts";
import { awaitedPods } from "../../src/plan/awaited-pods.ts";

const LABELS = { component: "proxy" };
const PROXY = { kind: "Deployment", name: "proxy" };
const NODE = { kind: "Deployment", name: "querynode" };
const INGRESS = { apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata: { name: "milvus" } };
const LIVE = { ...INGRESS, metadata: { ...INGRESS.metadata, labels: {}, annotations: {} } };

function deployment({ kind, name }: typeof PROXY) {
  const template = { metadata: { labels: { component: name } }, spec: { containers: [] } };
  return { apiVersion: "apps/v1", kind, metadata: { name }, spec: { template } };
}

const OBJECTS = [
  { apiVersion: "v1", kind: "Service", metadata: { name: "milvus" }, spec: { selector: LABELS } },
  deployment(PROXY),
  deployment(NODE),
]
  .map((object) => JSON.stringify(object))
  .join("\n---\n");

const FIRST_RUN = {
  change: { restarts: [PROXY], creates: [] },
  loadBalancer: { manifests: [INGRESS], live: [] },
  hasFiles: false,
};

test.each<[what: string, different: object, labels: object | undefined]>([
  ["a first run", {}, LABELS],
  ["an installation", { change: { restarts: [], creates: [PROXY, NODE] } }, LABELS],
  ["pods that the upgrade leaves alone", { change: { restarts: [NODE], creates: [] } }, undefined],
  ["objects that exist", { loadBalancer: { manifests: [INGRESS], live: [LIVE] } }, undefined],
  ["objects of the user's that come first", { hasFiles: true }, undefined],
])("awaitedPods: %s", (_, different, labels) => {
  const { change, loadBalancer, hasFiles } = { ...FIRST_RUN, ...different };
  const objects = parseManifest(OBJECTS).values();
  expect(awaitedPods(objects, "milvus", change, loadBalancer, hasFiles)).toEqual(labels);
});
