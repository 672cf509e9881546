import * as v from "valibot";
import { allOf } from "../base/async.ts";
import { messageOf } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import type { Symptom } from "../base/symptom.ts";
import type { EndpointHealth } from "../gke/compute-resources.ts";
import { problemOfPod } from "../helm/pod-problem.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { NetworkPolicy, policiesAgainst } from "../kubernetes/network-policy.ts";
import { Pod, type Service } from "../kubernetes/objects.ts";
import { BACKEND_SYMPTOMS } from "./backend-symptoms.ts";
import type { LoadBalancerNames } from "./manifests.ts";

/**
 * An address of each range that Google checks health from
 * (cloud.google.com/load-balancing/docs/health-check-concepts).
 */
const HEALTH_CHECKERS = ["130.211.0.1", "35.191.0.1"];
/** Those ranges. */
const HEALTH_CHECK_RANGES = ["130.211.0.0/22", "35.191.0.0/16"];
/** Where Milvus answers health checks, by HTTP. */
const HEALTH_PORT = 9091;
const HEALTH_PATH = "/healthz";
/** Milvus's port for clients, where Google doesn't tell it. */
const GRPC_PORT = 19_530;
const MESH_SIDECAR = "istio-proxy";
const BACKEND_CONFIG = "cloud.google.com/backend-config";
const APP_PROTOCOLS = "cloud.google.com/app-protocols";
/** How many pods are named that aren't ready. */
const SHOWN_PODS = 3;

/** Something that is in the way, as a sentence without its dot. */
export interface Obstacle {
  text: string;
  /** Undefined if it only says what was seen. */
  symptom: Symptom | undefined;
  /** Instead of the symptom's own. */
  remedy?: string;
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

/** What Google's side says. */
export interface PathAtGoogle {
  /** What health checks say of each endpoint; undefined if Google can't be asked. */
  endpoints: readonly EndpointHealth[] | undefined;
  /** The cluster's network, `projects/P/global/networks/N`. */
  network: string | undefined;
}

/**
 * Returns what stands between the load balancer and a Service's pods. What can't be read is named instead.
 */
export async function trafficObstacles(
  api: ApiServer,
  names: Pick<LoadBalancerNames, "namespace" | "backendConfig">,
  service: Service,
  google: PathAtGoogle,
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
      ...google,
      service,
      backendConfig: v.parse(v.optional(BackendConfig), backendConfig),
      pods: pods.items.map((item) => v.parse(Pod, item)),
      policies: policies.items.map((item) => v.parse(NetworkPolicy, item)),
    });
  } catch (error) {
    const text = `what is in the way of health checks can't be read: ${messageOf(error)}`;
    return [{ text, symptom: undefined }, ...seenAtGoogle(google.endpoints ?? [], [])];
  }
}

/** Returns the obstacles on the way from a load balancer to the pods. */
export function obstaclesOf(
  { backendConfig: name }: Pick<LoadBalancerNames, "backendConfig">,
  path: Path & PathAtGoogle,
): Obstacle[] {
  const { service, backendConfig, pods, endpoints } = path;
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
    [BACKEND_SYMPTOMS.portName, wrongProtocols(service)],
    [BACKEND_SYMPTOMS.networkPolicy, closedTo(path)],
    [BACKEND_SYMPTOMS.mesh, meshed(pods)],
  ];
  const inCluster = found.flatMap(([symptom, text]) => (text === undefined ? [] : [{ symptom, text }]));
  const rest = inCluster.length > 0 ? [] : outsideOf(path);
  return [...inCluster, ...rest, ...seenAtGoogle(endpoints ?? [], pods)];
}

/** Returns what is in the way where nothing in the cluster is. */
function outsideOf({ pods, endpoints, network }: Path & PathAtGoogle): Obstacle[] {
  if (endpoints?.length === 0) {
    return [{ symptom: BACKEND_SYMPTOMS.noEndpoints, text: BACKEND_SYMPTOMS.noEndpoints.title }];
  }
  if (!pods.every(hasReadyContainers) || endpoints?.some(isHealthy)) return [];
  return [
    {
      symptom: BACKEND_SYMPTOMS.unhealthy,
      text: "the pods are ready and nothing in the cluster keeps health checks out, so perhaps no firewall rule admits them",
      remedy: `have an administrator of the network run: ${firewallCommand(network, endpoints?.[0]?.port)}. If the pods only need more time, raise backends_timeout.`,
    },
  ];
}

/**
 * Returns the command that admits Google's health checks. With a Shared VPC the network is another project's.
 */
function firewallCommand(network: string | undefined, port: number | undefined): string {
  const [, project = "PROJECT", name = "NETWORK"] =
    /^projects\/([^/]+)\/global\/networks\/(.+)$/.exec(network ?? "") ?? [];
  const allowed = [HEALTH_PORT, port || GRPC_PORT].map((number) => `tcp:${number}`).join(",");
  return `gcloud compute firewall-rules create google-health-checks --project=${project} --network=${name} --source-ranges=${HEALTH_CHECK_RANGES.join(",")} --allow=${allowed}`;
}

/** Returns which pods Google's health check fails on, and which it passes on. */
function seenAtGoogle(endpoints: readonly EndpointHealth[], pods: readonly Pod[]): Obstacle[] {
  const nameOf = ({ ipAddress, port }: EndpointHealth) => {
    const pod = pods.find(({ status }) => status.podIP === ipAddress);
    return pod ? `${pod.metadata.name} (${ipAddress}:${port})` : `${ipAddress}:${port}`;
  };
  const failing = endpoints.filter((endpoint) => !isHealthy(endpoint));
  const passing = endpoints.filter(isHealthy);
  if (failing.length === 0) return [];
  const also = passing.length > 0 ? `, and passes on ${listed(passing.map(nameOf))}` : "";
  return [
    { text: `Google's health check fails on ${listed(failing.map(nameOf))}${also}`, symptom: undefined },
  ];
}

/** Names the first few. */
function listed(names: readonly string[]): string {
  const more = names.length - SHOWN_PODS;
  return `${names.slice(0, SHOWN_PODS).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Tells whether Google's health check passes on an endpoint. */
export function isHealthy({ healthState }: EndpointHealth): boolean {
  return healthState === "HEALTHY";
}

/** A pod whose containers are ready may wait for the load balancer itself: that explains nothing. */
function unready(pods: readonly Pod[]): string | undefined {
  const problems = pods.flatMap((pod) => {
    const problem = hasReadyContainers(pod) ? undefined : problemOfPod(pod);
    return problem ? [`${pod.metadata.name}: ${problem.description}`] : [];
  });
  const more = problems.length - SHOWN_PODS;
  const shown = problems.slice(0, SHOWN_PODS).join("; ");
  return problems.length > 0
    ? `pods aren't ready: ${shown}${more > 0 ? `; and ${more} more` : ""}`
    : undefined;
}

function hasReadyContainers({ status: { conditions } }: Pod): boolean {
  return conditions.some(({ type, status }) => type === "ContainersReady" && status === "True");
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

/** Returns why Google doesn't speak HTTP/2 to a Service's port, in half a sentence; undefined if it does. */
export function wrongProtocols({ metadata: { annotations }, spec: { ports } }: Service): string | undefined {
  const protocols = parseJson(v.record(v.string(), v.string()), annotations[APP_PROTOCOLS]) ?? {};
  const names = ports.map(({ name }) => name);
  const unknown = Object.keys(protocols).filter((name) => !names.includes(name));
  const shown = names.join(", ");
  if (unknown.length > 0) {
    return `the Service's annotation ${APP_PROTOCOLS} names ${unknown.join(", ")}, and the Service's ports are named ${shown}`;
  }
  if (Object.values(protocols).includes("HTTP2")) return undefined;
  return `the Service's annotation ${APP_PROTOCOLS} names none of the Service's ports (${shown}) with HTTP2`;
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
