import type { Pod } from "../kubernetes/objects.ts";

/**
 * Returns a function that tells, of a release's pods as they are at each moment, whether those with the
 * labels have been replaced: none of the first moment is left, and the new ones are ready.
 */
export function replacementOf(labels: Record<string, string>): (pods: readonly Pod[]) => boolean {
  let former: Set<string | undefined> | undefined;
  const isBehind = ({ metadata }: Pod) =>
    Object.entries(labels).every(([name, value]) => metadata.labels[name] === value);
  return (pods) => {
    // A pod that is on its way out serves nobody any more.
    const serving = pods.filter((pod) => isBehind(pod) && pod.metadata.deletionTimestamp === undefined);
    former ??= new Set(serving.map(({ metadata }) => metadata.uid));
    return serving.length > 0 && serving.every((pod) => !former?.has(pod.metadata.uid) && isReady(pod));
  };
}

function isReady({ status }: Pod): boolean {
  return status.conditions.some(({ type, status: is }) => type === "Ready" && is === "True");
}
