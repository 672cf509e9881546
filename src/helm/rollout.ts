import * as v from "valibot";
import { messageOf } from "../errors.ts";
import { get } from "../kubernetes/kubectl.ts";
import { Pod } from "../kubernetes/objects.ts";
import type { Program } from "../process.ts";

/** Returns the pods of a release, those of finished jobs left out. */
async function podsOf(kubectl: Program, namespace: string, release: string): Promise<Pod[]> {
  const items = await get(kubectl, namespace, ["pods", "-l", `app.kubernetes.io/instance=${release}`]);
  return items.map((item) => v.parse(Pod, item)).filter(({ status }) => status.phase !== "Succeeded");
}

/** Returns one line about how far a release's rollout is, for a reader who waits. */
export async function describeRollout(kubectl: Program, namespace: string, release: string): Promise<string> {
  try {
    const pods = await podsOf(kubectl, namespace, release);
    const problems = pods.flatMap((pod) => problemOfPod(pod) ?? []);
    const ready = pods.length - problems.length;
    return `${ready} of ${pods.length} pods are ready${problems.length > 0 ? `; ${problems.slice(0, 3).join("; ")}` : ""}`;
  } catch (error) {
    return `the pods can't be listed: ${messageOf(error)}`;
  }
}

/** Returns why a pod isn't ready, undefined when it is. */
export function problemOfPod({ metadata: { name }, status }: Pod): string | undefined {
  const ready = status.conditions.some(({ type, status: value }) => type === "Ready" && value === "True");
  if (ready) return undefined;
  const unscheduled = status.conditions.find(
    ({ type, status: value }) => type === "PodScheduled" && value === "False",
  );
  if (unscheduled) return `${name}: ${unscheduled.reason} (${unscheduled.message})`;
  // While an init container isn't done, the others only say PodInitializing.
  const containers = [...status.initContainerStatuses, ...status.containerStatuses];
  for (const container of containers.filter(({ ready }) => !ready)) {
    const { waiting, terminated } = container.state;
    const exit = terminated ?? container.lastState.terminated;
    const last = exit ? `, last exit: ${exit.reason} (code ${exit.exitCode ?? "unknown"})` : "";
    if (waiting?.reason)
      return `${name}: ${waiting.reason}${waiting.message ? ` (${waiting.message})` : ""}${last}`;
    if (exit) return `${name}: restarted ${container.restartCount} times${last}`;
  }
  return `${name}: ${status.phase || "no status"}, not ready`;
}
