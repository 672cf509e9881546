import { problemOfPod } from "../helm/pod-problem.ts";
import type { Pod } from "../kubernetes/objects.ts";

/**
 * Returns a line for each workload of a release with pods that aren't ready: how many, and why the first one
 * isn't.
 */
export function unreadyWorkloads(pods: readonly Pod[]): string[] {
  return [...Map.groupBy(pods, ownerOf)].flatMap(([workload, ofWorkload]) => {
    const problems = ofWorkload.flatMap((pod) => problemOfPod(pod) ?? []);
    const [first] = problems;
    if (!first) return [];
    return [`${workload}: ${problems.length} of ${ofWorkload.length} pods: ${first.description}`];
  });
}

/** Returns e.g. `Deployment my-release-milvus-proxy`. */
function ownerOf({ metadata }: Pod): string {
  const [owner] = metadata.ownerReferences;
  if (!owner) return `Pod ${metadata.name}`;
  const hash = metadata.labels["pod-template-hash"];
  if (owner.kind !== "ReplicaSet" || hash === undefined) return `${owner.kind} ${owner.name}`;
  return `Deployment ${owner.name.replace(`-${hash}`, "")}`;
}
