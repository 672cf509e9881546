import * as v from "valibot";
import { allOf } from "../base/async.ts";
import { messageOf } from "../base/errors.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { NetworkPolicy, policiesAgainst } from "../kubernetes/network-policy.ts";
import { Pod, type Service } from "../kubernetes/objects.ts";

/** An address of each range that Google checks health from (cloud.google.com/load-balancing/docs/health-check-concepts). */
const HEALTH_CHECKERS = ["130.211.0.1", "35.191.0.1"];
/** Where Milvus answers health checks. */
const HEALTH_PORT = 9091;
const MESH_SIDECAR = "istio-proxy";

/**
 * Returns what stands between the load balancer and a Service's pods: NetworkPolicies that keep health checks out, and
 * a mesh's sidecars. Each is a sentence without its dot. A list that can't be read is named instead.
 */
export async function trafficObstacles(
  api: ApiServer,
  namespace: string,
  service: Service,
): Promise<string[]> {
  const labels = Object.entries(service.spec.selector).map(([name, value]) => `${name}=${value}`);
  if (labels.length === 0) return [];
  try {
    const [pods, policies] = await allOf([
      api.list("Pod", namespace, `labelSelector=${labels.join(",")}`),
      api.list("NetworkPolicy", namespace, "labelSelector="),
    ]);
    return obstaclesOf(
      pods.items.map((item) => v.parse(Pod, item)),
      policies.items.map((item) => v.parse(NetworkPolicy, item)),
    );
  } catch (error) {
    return [`whether a NetworkPolicy or a mesh is in the way can't be read: ${messageOf(error)}`];
  }
}

/** Returns the obstacles in front of pods, one sentence each. */
export function obstaclesOf(pods: readonly Pod[], policies: readonly NetworkPolicy[]): string[] {
  const names = pods.flatMap(({ metadata, spec }) => {
    const ports = spec.containers.flatMap(({ ports }) => ports);
    const name = ports.find(({ containerPort }) => containerPort === HEALTH_PORT)?.name;
    return policiesAgainst(policies, metadata.labels, HEALTH_CHECKERS, { number: HEALTH_PORT, name });
  });
  const meshed = pods.filter(({ spec }) =>
    [...spec.containers, ...spec.initContainers].some(({ name }) => name === MESH_SIDECAR),
  );
  const found: string[] = [];
  if (names.length > 0) {
    found.push(
      `NetworkPolicy ${[...new Set(names)].join(", ")} keeps Google's health checks out of the pods: admit 130.211.0.0/22 and 35.191.0.0/16 to the ports ${HEALTH_PORT} and 19530`,
    );
  }
  if (meshed.length > 0) {
    found.push(
      `the pods have a mesh's sidecar (${MESH_SIDECAR}), which may refuse what comes from outside of the mesh: leave the ports out with the pod annotation traffic.sidecar.istio.io/excludeInboundPorts: "${HEALTH_PORT},19530", or the pods with sidecar.istio.io/inject: "false"`,
    );
  }
  return found;
}
