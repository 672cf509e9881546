import * as v from "valibot";
import { allOf } from "../base/async.ts";
import { messageOf } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import type { Symptom } from "../base/symptom.ts";
import { problemOfPod } from "../helm/pod-problem.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { NetworkPolicy, policiesAgainst } from "../kubernetes/network-policy.ts";
import { Pod, type Service } from "../kubernetes/objects.ts";
import { BACKEND_SYMPTOMS } from "./backend-symptoms.ts";
import type { LoadBalancerNames } from "./manifests.ts";

/** An address of each range that Google checks health from (cloud.google.com/load-balancing/docs/health-check-concepts). */
const HEALTH_CHECKERS = ["130.211.0.1", "35.191.0.1"];
/** Where Milvus answers health checks, by HTTP. */
const HEALTH_PORT = 9091;
const HEALTH_PATH = "/healthz";
const MESH_SIDECAR = "istio-proxy";
const BACKEND_CONFIG = "cloud.google.com/backend-config";
const APP_PROTOCOLS = "cloud.google.com/app-protocols";
/** How many pods are named that aren't ready. */
const SHOWN_PODS = 3;

/** Something that is in the way, as a sentence without its dot. */
export interface Obstacle {
  text: string;
  symptom: Symptom | undefined;
}

const HealthCheck = v.looseObject({
  type: v.optional(v.string(), "HTTP"),
  port: v.optional(v.number()),
  requestPath: v.optional(v.string(), "/"),
});
const BackendConfig = v.looseObject({
  spec: v.optional(v.looseObject({ healthCheck: v.optional(HealthCheck) }), {}),
});
type BackendConfig = v.InferOutput<typeof BackendConfig>;

/** What decides whether Google finds Milvus healthy. */
export interface Path {
  service: Service;
  /** Undefined if it isn't there. */
  backendConfig: BackendConfig | undefined;
  pods: readonly Pod[];
  policies: readonly NetworkPolicy[];
}

/**
 * Returns what stands between the load balancer and a Service's pods. What can't be read is named instead.
 */
export async function trafficObstacles(
  api: ApiServer,
  names: Pick<LoadBalancerNames, "namespace" | "backendConfig">,
  service: Service,
): Promise<Obstacle[]> {
  const { namespace } = names;
  const labels = Object.entries(service.spec.selector).map(([name, value]) => `${name}=${value}`);
  if (labels.length === 0) return [];
  try {
    const [pods, policies, backendConfig] = await allOf([
      api.list("Pod", namespace, `labelSelector=${labels.join(",")}`),
      api.list("NetworkPolicy", namespace, "labelSelector="),
      api.get("BackendConfig", namespace, names.backendConfig),
    ]);
    return obstaclesOf(names, {
      service,
      backendConfig: v.parse(v.optional(BackendConfig), backendConfig),
      pods: pods.items.map((item) => v.parse(Pod, item)),
      policies: policies.items.map((item) => v.parse(NetworkPolicy, item)),
    });
  } catch (error) {
    return [
      { text: `what is in the way of health checks can't be read: ${messageOf(error)}`, symptom: undefined },
    ];
  }
}

/** Returns the obstacles on the way from a load balancer to the pods. */
export function obstaclesOf(
  { backendConfig: name }: Pick<LoadBalancerNames, "backendConfig">,
  path: Path,
): Obstacle[] {
  const { service, backendConfig, pods } = path;
  const found: [Symptom, string | undefined][] = [
    [
      BACKEND_SYMPTOMS.noPods,
      pods.length === 0 ? `no pod has the labels that Service ${service.metadata.name} selects` : undefined,
    ],
    [BACKEND_SYMPTOMS.unreadyPods, unready(pods)],
    [
      BACKEND_SYMPTOMS.noBackendConfig,
      namesBackendConfig(service, name)
        ? undefined
        : `the Service's annotation ${BACKEND_CONFIG} doesn't name BackendConfig ${name}`,
    ],
    [BACKEND_SYMPTOMS.otherHealthCheck, otherHealthCheck(name, backendConfig)],
    [BACKEND_SYMPTOMS.portName, unknownPorts(service)],
    [BACKEND_SYMPTOMS.networkPolicy, closedTo(path)],
    [BACKEND_SYMPTOMS.mesh, meshed(pods)],
  ];
  return found.flatMap(([symptom, text]) => (text === undefined ? [] : [{ symptom, text }]));
}

/** A pod whose containers are ready may wait for the load balancer itself: that explains nothing. */
function unready(pods: readonly Pod[]): string | undefined {
  const problems = pods.flatMap((pod) => {
    const areContainersReady = pod.status.conditions.some(
      ({ type, status }) => type === "ContainersReady" && status === "True",
    );
    const problem = areContainersReady ? undefined : problemOfPod(pod);
    return problem ? [`${pod.metadata.name}: ${problem.description}`] : [];
  });
  const more = problems.length - SHOWN_PODS;
  const shown = problems.slice(0, SHOWN_PODS).join("; ");
  return problems.length > 0
    ? `pods aren't ready: ${shown}${more > 0 ? `; and ${more} more` : ""}`
    : undefined;
}

function namesBackendConfig({ metadata: { annotations } }: Service, name: string): boolean {
  const Names = v.looseObject({
    default: v.optional(v.string()),
    ports: v.optional(v.record(v.string(), v.string()), {}),
  });
  const named = parseJson(Names, annotations[BACKEND_CONFIG]);
  return named !== undefined && [named.default, ...Object.values(named.ports)].includes(name);
}

function otherHealthCheck(name: string, config: BackendConfig | undefined): string | undefined {
  const { type, port, requestPath } = config?.spec.healthCheck ?? {
    type: "HTTP",
    port: undefined,
    requestPath: "/",
  };
  if (type === "HTTP" && port === HEALTH_PORT && requestPath === HEALTH_PATH) return undefined;
  if (!config) return `BackendConfig ${name} isn't there`;
  return `BackendConfig ${name} asks for ${type} ${requestPath} on port ${port ?? "(the serving port)"}, and Milvus answers HTTP ${HEALTH_PATH} on ${HEALTH_PORT}`;
}

function unknownPorts({ metadata: { annotations }, spec: { ports } }: Service): string | undefined {
  const protocols = parseJson(v.record(v.string(), v.string()), annotations[APP_PROTOCOLS]) ?? {};
  const names = ports.map(({ name }) => name);
  const unknown = Object.keys(protocols).filter((name) => !names.includes(name));
  if (unknown.length === 0) return undefined;
  return `the Service's annotation ${APP_PROTOCOLS} names ${unknown.join(", ")}, and the Service's ports are named ${names.join(", ")}`;
}

function closedTo({ pods, policies }: Pick<Path, "pods" | "policies">): string | undefined {
  const names = pods.flatMap(({ metadata, spec }) => {
    const ports = spec.containers.flatMap(({ ports }) => ports);
    const name = ports.find(({ containerPort }) => containerPort === HEALTH_PORT)?.name;
    return policiesAgainst(policies, metadata.labels, HEALTH_CHECKERS, { number: HEALTH_PORT, name });
  });
  if (names.length === 0) return undefined;
  return `NetworkPolicy ${[...new Set(names)].join(", ")} keeps Google's health checks out of the pods`;
}

function meshed(pods: readonly Pod[]): string | undefined {
  const hasSidecar = pods.some(({ spec }) =>
    [...spec.containers, ...spec.initContainers].some(({ name }) => name === MESH_SIDECAR),
  );
  if (!hasSidecar) return undefined;
  return `the pods have a mesh's sidecar (${MESH_SIDECAR}), which may refuse what comes from outside of the mesh`;
}
