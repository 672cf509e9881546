import type { Pod } from "../kubernetes/objects.ts";

/** GKE adds it to the pods of a Service with network endpoint groups. Once open, it stays open. */
const READINESS_GATE = "cloud.google.com/load-balancer-neg-ready";

/** The pods that an upgrade makes behind a Service. */
export interface NewPods {
  /** Those that the Service selects pods by. */
  labels: Record<string, string>;
  count: number;
}

/**
 * Returns a function that takes a release's pods and tells whether a load balancer can be made now without
 * holding up any new pod: all of them exist, and GKE's readiness gate is open for each. GKE
 * opens it soon after the pod's creation while no load balancer uses the Service, whether or not the pod is
 * ready (kubernetes/ingress-gce, pkg/neg/readiness/reflector.go). A pod without the gate never gets it. Pods
 * of a revision that was there at the first moment aren't new.
 */
export function replacementOf({ labels, count }: NewPods): (pods: readonly Pod[]) => boolean {
  let former: Set<string | undefined> | undefined;
  const isBehind = ({ metadata }: Pod) =>
    Object.entries(labels).every(([name, value]) => metadata.labels[name] === value);
  return (pods) => {
    const behind = pods.filter(isBehind);
    former ??= new Set(behind.map(revisionOf));
    const made = behind.filter((pod) => !former?.has(revisionOf(pod)) && !hasEnded(pod));
    return made.length >= count && made.every(isGateOpen);
  };
}

/** Returns the label by which a Deployment or StatefulSet tells its revisions apart. */
function revisionOf({ metadata: { labels } }: Pod): string | undefined {
  return labels["pod-template-hash"] ?? labels["controller-revision-hash"];
}

function hasEnded({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined || /^(Failed|Succeeded)$/.test(status.phase);
}

function isGateOpen({ spec, status }: Pod): boolean {
  const isGated = spec.readinessGates.some(({ conditionType }) => conditionType === READINESS_GATE);
  return !isGated || status.conditions.some((one) => one.type === READINESS_GATE && one.status === "True");
}
