import type { V1Pod, V1PodSpec, V1Service } from "@kubernetes/client-node";
import { isAttu } from "../milvus/attu.ts";

/**
 * Whether clients connect to this pod: it has a container port named `milvus`, as in
 * the Milvus chart, or is Attu.
 */
export function acceptsClients(pod: V1Pod): boolean {
  return containerPort(pod, "milvus") !== undefined || isAttu(pod.spec?.containers[0]?.image ?? "");
}

/** Whether a pod is ready and not being deleted. */
export function isReady(pod: V1Pod): boolean {
  return conditionIsTrue(pod, "Ready") && !pod.metadata?.deletionTimestamp;
}

/** Whether a pod's containers are ready, with or without its readiness gates, and it is not being deleted. */
export function hasReadyContainers(pod: V1Pod): boolean {
  return conditionIsTrue(pod, "ContainersReady") && !pod.metadata?.deletionTimestamp;
}

/**
 * Whether a pod belongs to the endpoints of its Services, ready or not (ingress-gce, pkg/neg/types,
 * EndpointsDataFromEndpointSlices, leaves out only those that are terminating).
 */
export function isEndpoint({ metadata, status }: V1Pod): boolean {
  const hasEnded = status?.phase === "Failed" || status?.phase === "Succeeded";
  return Boolean(status?.podIP) && !hasEnded && !metadata?.deletionTimestamp;
}

export function conditionIsTrue(pod: V1Pod, type: string): boolean {
  return pod.status?.conditions?.some((each) => each.type === type && each.status === "True") === true;
}

/** Whether a Service's selector matches a pod of its namespace. */
export function selects(service: V1Service, pod: V1Pod): boolean {
  const selector = Object.entries(service.spec?.selector ?? {});
  const labels = pod.metadata?.labels ?? {};
  return selector.length > 0 && selector.every(([label, value]) => labels[label] === value);
}

/** The container's port behind a Service's port. */
export function portBehind(service: V1Service, port: number, pod: V1Pod): number | undefined {
  const found = service.spec?.ports?.find((candidate) => candidate.port === port);
  if (!found) return undefined;
  const target = found.targetPort ?? found.port;
  return typeof target === "number" ? target : containerPort(pod, target);
}

/** A file that a container reads from a ConfigMap. */
export interface ConfigFile {
  configMap: string;
  key: string;
}

/** Finds the configuration files of Milvus. Later files override earlier ones. */
export function configFiles(spec: V1PodSpec | undefined): ConfigFile[] {
  const found: ConfigFile[] = [];
  for (const path of ["/milvus/configs/default.yaml", "/milvus/configs/user.yaml"]) {
    for (const mount of spec?.containers.flatMap(({ volumeMounts }) => volumeMounts ?? []) ?? []) {
      const volume = spec?.volumes?.find(({ name }) => name === mount.name);
      if (mount.mountPath !== path || !mount.subPath || !volume?.configMap?.name) continue;
      found.push({ configMap: volume.configMap.name, key: mount.subPath });
    }
  }
  return found;
}

function containerPort(pod: V1Pod, name: string): number | undefined {
  const ports = pod.spec?.containers.flatMap((container) => container.ports ?? []);
  return ports?.find((port) => port.name === name)?.containerPort;
}
