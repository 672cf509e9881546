/** The readiness gate that GKE adds to the pods of a Service with network endpoint groups. */
export const READINESS_GATE = "cloud.google.com/load-balancer-neg-ready";

/** The readiness gate's condition, with the texts of ingress-gce (pkg/neg/readiness/reflector.go). */
export interface GateCondition {
  type: typeof READINESS_GATE;
  /** The reflector leaves it empty while the pod waits. */
  status: "True" | "";
  reason: "LoadBalancerNegReady" | "LoadBalancerNegTimeout" | "LoadBalancerNegNotReady";
  message: string;
}

/**
 * Returns the condition of a pod's readiness gate.
 *
 * @param groups names of the groups with the pod that a load balancer uses; each has
 *   the name of its backend service
 * @param healthyIn the group whose health check the pod passes
 */
export function gateCondition(state: {
  groups: readonly string[];
  healthyIn: string | undefined;
  zone: string;
  timedOut: boolean;
}): GateCondition {
  const { groups, healthyIn, zone, timedOut } = state;
  const type = READINESS_GATE;
  const marking = `Marking condition "${type}" to True.`;
  if (groups.length === 0) {
    const message = `Pod does not belong to any NEG. ${marking}`;
    return { type, status: "True", reason: "LoadBalancerNegReady", message };
  }
  if (healthyIn !== undefined) {
    const group = JSON.stringify(`Key{"${healthyIn}", zone: "${zone}"}`);
    const backendService = JSON.stringify(`Key{"${healthyIn}"}`);
    const message = `Pod has become Healthy in NEG ${group} attached to BackendService ${backendService}. ${marking}`;
    return { type, status: "True", reason: "LoadBalancerNegReady", message };
  }
  const names = `[${groups.join(" ")}]`;
  if (timedOut) {
    const message = `Timeout waiting for pod to become healthy in at least one of the NEG(s): ${names}. ${marking}`;
    return { type, status: "True", reason: "LoadBalancerNegTimeout", message };
  }
  const message = `Waiting for pod to become healthy in at least one of the NEG(s): ${names}`;
  return { type, status: "", reason: "LoadBalancerNegNotReady", message };
}
