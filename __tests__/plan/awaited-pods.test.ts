import { expect, test } from "vitest";
import { parseManifest } from "../../src/helm/manifest.ts";
import { awaitedPods } from "../../src/plan/awaited-pods.ts";

const LABELS = { component: "proxy" };
const PROXY = { kind: "Deployment", name: "proxy" };
const NODE = { kind: "Deployment", name: "querynode" };
const INGRESS = { apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata: { name: "milvus" } };
const LIVE = {
  ...INGRESS,
  metadata: { ...INGRESS.metadata, labels: {}, annotations: {}, finalizers: [], ownerReferences: [] },
};

/** @param replicas left out of the object if undefined */
function workload({ kind, name }: typeof PROXY, replicas?: number, component = name) {
  const template = { metadata: { labels: { component } }, spec: { containers: [] } };
  const metadata = { name, labels: {}, annotations: {}, finalizers: [], ownerReferences: [] };
  return { apiVersion: "apps/v1", kind, metadata, spec: { replicas, template } };
}

const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "milvus" },
  spec: { selector: LABELS },
};

const FIRST_RUN = {
  objects: [workload(PROXY, 1), workload(NODE, 5)],
  workloads: [workload(PROXY, 1)],
  change: { restarts: [PROXY], creates: [] },
  loadBalancer: { manifests: [INGRESS], live: [] },
  hasFiles: false,
};
const SET = { kind: "StatefulSet", name: "proxy-set" };
const DAEMON = { kind: "DaemonSet", name: "proxy-daemon" };

test.each<[what: string, different: Partial<typeof FIRST_RUN> | object, count: number | undefined]>([
  ["a first run", {}, 1],
  ["an installation", { workloads: [], change: { restarts: [], creates: [PROXY, NODE] } }, 1],
  ["several pods", { objects: [workload(PROXY, 3)] }, 3],
  [
    "a number that the chart leaves to an autoscaler",
    { objects: [workload(PROXY)], workloads: [workload(PROXY, 4)] },
    4,
  ],
  ["no number anywhere", { objects: [workload(PROXY)], workloads: [] }, 1],
  [
    "two workloads behind the Service",
    {
      objects: [workload(PROXY, 2), workload(SET, 3, "proxy")],
      change: { restarts: [PROXY, SET], creates: [] },
    },
    5,
  ],
  [
    "one of two that the upgrade leaves alone",
    { objects: [workload(PROXY, 2), workload(SET, 3, "proxy")] },
    undefined,
  ],
  [
    "a pod for each node",
    { objects: [workload(DAEMON, undefined, "proxy")], change: { restarts: [DAEMON], creates: [] } },
    undefined,
  ],
  ["no pods at all", { objects: [workload(PROXY, 0)] }, undefined],
  ["pods that the upgrade leaves alone", { change: { restarts: [NODE], creates: [] } }, undefined],
  ["objects that exist", { loadBalancer: { manifests: [INGRESS], live: [LIVE] } }, undefined],
  ["objects of the user's that come first", { hasFiles: true }, undefined],
])("awaitedPods: %s", (_, different, count) => {
  const { objects, workloads, change, loadBalancer, hasFiles } = { ...FIRST_RUN, ...different };
  const manifest = [SERVICE, ...objects].map((object) => JSON.stringify(object)).join("\n---\n");
  const rendered = [...parseManifest(manifest).values()];
  expect(awaitedPods(rendered, workloads, "milvus", change, loadBalancer, hasFiles)).toEqual(
    count && { labels: LABELS, count },
  );
});
