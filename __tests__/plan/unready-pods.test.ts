import * as v from "valibot";
import { expect, test } from "vitest";
import { Pod } from "../../src/kubernetes/objects.ts";
import { unreadyWorkloads } from "../../src/plan/unready-pods.ts";

const READY = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
const CRASHING = {
  phase: "Running",
  containerStatuses: [
    {
      name: "milvus",
      ready: false,
      restartCount: 7,
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: { terminated: { reason: "Error", exitCode: 1 } },
    },
  ],
};
const PENDING = {
  phase: "Pending",
  conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes" }],
};

function pod(name: string, status: object, owner?: { kind: string; name: string }): Pod {
  return v.parse(Pod, {
    metadata: {
      name,
      labels: { "pod-template-hash": "5d8f" },
      ownerReferences: owner ? [owner] : [],
    },
    status,
  });
}

test("names the workloads whose pods aren't ready, with the reason of the first one", () => {
  const proxies = { kind: "ReplicaSet", name: "r-milvus-proxy-5d8f" };
  const etcd = { kind: "StatefulSet", name: "r-etcd" };
  const lines = unreadyWorkloads([
    pod("r-milvus-proxy-5d8f-a", READY, proxies),
    pod("r-milvus-proxy-5d8f-b", CRASHING, proxies),
    pod("r-etcd-0", PENDING, etcd),
    pod("r-etcd-1", PENDING, etcd),
    pod("r-querynode", READY, { kind: "ReplicaSet", name: "r-querynode-5d8f" }),
    pod("r-job", { phase: "Succeeded" }, { kind: "Job", name: "r-job" }),
    pod("lonely", PENDING),
  ]);
  expect(lines).toEqual([
    "Deployment r-milvus-proxy: 1 of 2 pods: CrashLoopBackOff, last exit: Error (code 1)",
    "StatefulSet r-etcd: 2 of 2 pods: Unschedulable (0/3 nodes)",
    "Pod lonely: 1 of 1 pods: Unschedulable (0/3 nodes)",
  ]);
});
