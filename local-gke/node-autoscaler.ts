import { ApiException, CoreV1Api, makeInformer, type V1Pod } from "@kubernetes/client-node";
import { kubeConfigFrom } from "./control-plane/client.ts";
import { keepInformed } from "./control-plane/informer.ts";
import { NODE_POOL, newNode } from "./control-plane/objects.ts";
import { EventRecorder } from "./ingress/events.ts";
import { type Timing, until } from "./ingress/timing.ts";

/** Node pools with this prefix have no node until a pod needs one. */
const AUTOSCALED = "autoscaled-";
const INSTANCE_GROUPS =
  "https://www.googleapis.com/compute/v1/projects/my-project/zones/us-central1-a/instanceGroups";

/**
 * Starts the stand-in for GKE's cluster autoscaler: a pod that selects a node pool `autoscaled-...` gets its
 * node after `timing.nodeProvisionMs`.
 */
export async function startNodeAutoscaler(options: {
  kubeconfig: string;
  timing: Timing;
}): Promise<{ stop(): Promise<void> }> {
  const config = kubeConfigFrom(options.kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const events = new EventRecorder(core, "cluster-autoscaler");
  const stopped = new AbortController();
  const scaleUps = new Map<string, Promise<void>>();

  const scaleUp = async (pool: string): Promise<void> => {
    const start = performance.now();
    await until(() => start + options.timing.nodeProvisionMs, stopped.signal);
    if (stopped.signal.aborted) return;
    try {
      await core.createNode({ body: newNode(`gke-my-cluster-${pool}-1`, pool) });
    } catch (error) {
      if (!(error instanceof ApiException && error.code === 409)) throw error;
    }
  };
  const observe = (pod: V1Pod): void => {
    const pool = pod.spec?.nodeSelector?.[NODE_POOL];
    if (!pool?.startsWith(AUTOSCALED) || !isUnschedulable(pod) || scaleUps.has(pool)) return;
    const { namespace = "", name = "", uid = "" } = pod.metadata ?? {};
    const group = `${INSTANCE_GROUPS}/gke-my-cluster-${pool}-grp`;
    const message = `pod triggered scale-up: [{${group} 0->1 (max: 3)}]`;
    events.record(
      { apiVersion: "v1", kind: "Pod", namespace, name, uid },
      "Normal",
      "TriggeredScaleUp",
      message,
    );
    scaleUps.set(pool, scaleUp(pool));
  };

  const pods = makeInformer(config, "/api/v1/pods", () => core.listPodForAllNamespaces());
  pods.on("add", observe);
  pods.on("update", observe);
  await keepInformed(pods, "node autoscaler", stopped.signal);
  return {
    async stop() {
      stopped.abort();
      await pods.stop();
      await Promise.all(scaleUps.values());
      await events.flush();
    },
  };
}

function isUnschedulable(pod: V1Pod): boolean {
  const conditions = pod.status?.conditions ?? [];
  return conditions.some(({ type, reason }) => type === "PodScheduled" && reason === "Unschedulable");
}
