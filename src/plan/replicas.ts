import { ActionError } from "../base/errors.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { joinValues, valueAt } from "../helm/values.ts";
import type { KubernetesObject } from "../kubernetes/objects.ts";
import { replicasPath } from "../milvus/replicas.ts";

/** A workload, live or as a chart renders it. */
interface Workload {
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  [field: string]: unknown;
}

/** What becomes of numbers of pods that differ from Helm's record. */
export interface KeptReplicas {
  /** The values that keep the live numbers. */
  values: YamlMap;
  /** One sentence for each workload with another number than Helm's record. */
  notes: string[];
}

/**
 * Finds the workloads that somebody, or an autoscaler, has scaled since the last Helm upgrade. An upgrade
 * sets the number that the chart renders, with Helm 3 and Helm 4 alike (helm pkg/kube/client.go). That is why
 * the live number goes into the values. A number in the inputs wins.
 *
 * @param recorded the objects of the deployed revision's manifest
 * @param requested the values of the inputs
 * @throws ActionError when the inputs take the number out of Helm's hands, which
 *   would leave one pod for a while
 */
export function keptReplicas(
  live: readonly KubernetesObject[],
  recorded: readonly Workload[],
  requested: YamlMap,
): KeptReplicas {
  const kept = new Map<string, { path: string[]; replicas: number }>();
  const notes: string[] = [];
  for (const workload of live) {
    const before = replicasOf(recorded.find(isSame(workload)));
    const now = replicasOf(workload);
    const path = replicasPath(workload.kind, workload.metadata.labels);
    // Without a number in the manifest Helm leaves the live one alone.
    if (before === undefined || now === undefined || now === before || !path) continue;
    const title = `${workload.kind} ${workload.metadata.name}`;
    const value = path.join(".");
    const wanted = valueAt(requested, ...path);
    if (typeof wanted === "number" && wanted >= 0) {
      notes.push(`${title} goes from ${now} to ${wanted} replicas: the inputs set ${value}.`);
      continue;
    }
    if (wanted !== undefined && wanted !== null) throw uncontrolled(title, value, now, wanted);
    // Deployments of several resource groups share one value: none of them may shrink.
    const replicas = Math.max(now, kept.get(value)?.replicas ?? 0);
    kept.set(value, { path, replicas });
    notes.push(
      `${title} keeps its ${now} replicas: Helm's record has ${before}, ${value} becomes ${replicas}.`,
    );
  }
  const values = [...kept.values()].reduce<YamlMap>(
    (all, { path, replicas }) => joinValues(all, nested(path, replicas)),
    {},
  );
  return { values, notes };
}

/**
 * Refuses an upgrade that would take pods away although no input asks for it.
 *
 * @param wanted the objects that the upgrade would make
 * @param requested the values of the inputs
 * @throws ActionError naming the first such workload
 */
export function refuseScalingDown(
  live: readonly KubernetesObject[],
  wanted: readonly Workload[],
  requested: YamlMap,
): void {
  for (const workload of live) {
    const after = replicasOf(wanted.find(isSame(workload)));
    const now = replicasOf(workload);
    const path = replicasPath(workload.kind, workload.metadata.labels);
    if (after === undefined || now === undefined || after >= now) continue;
    if (path && valueAt(requested, ...path) !== undefined) continue;
    const { namespace, name } = workload.metadata;
    throw new ActionError(
      `The upgrade would scale ${workload.kind} ${namespace}/${name} down; it was not made.`,
      {
        why: `it has ${now} replicas now, and the chart renders ${after}.`,
        fix: `set the number of replicas that the chart takes for ${name} with the input values, or scale it to ${after} first (\`kubectl scale ${workload.kind.toLowerCase()} ${name} -n ${namespace} --replicas=${after}\`).`,
      },
    );
  }
}

/** Returns a workload's number of pods; undefined when the object doesn't say. */
export function replicasOf(workload: Workload | undefined): number | undefined {
  const replicas = isMap(workload?.spec) ? workload.spec.replicas : undefined;
  return typeof replicas === "number" ? replicas : undefined;
}

function isSame({ kind, metadata }: Workload) {
  return (other: Workload) => other.kind === kind && other.metadata.name === metadata.name;
}

/**
 * A client-side upgrade that drops the field lets the API server fill in its default, 1 (helm/helm#12650).
 */
function uncontrolled(title: string, value: string, now: number, wanted: unknown): ActionError {
  return new ActionError(
    `The inputs set ${value}: ${String(wanted)}, but ${title} has ${now} replicas; nothing was changed.`,
    {
      why: "Helm then takes the number out of the manifest, and Kubernetes sets it to 1 until an autoscaler acts.",
      fix: `leave ${value} out of the inputs: the live number is kept at each upgrade.`,
    },
  );
}

function nested([key = "", ...rest]: readonly string[], value: unknown): YamlMap {
  return { [key]: rest.length === 0 ? value : nested(rest, value) };
}
