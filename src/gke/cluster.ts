import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { type ClusterName, describeCluster, parseCluster, requireUsable } from "./cluster-resource.ts";
import { gatewayServer, membershipOf } from "./connect-gateway.ts";
import {
  type ChosenEndpoint,
  chooseEndpoint,
  type EndpointChoice,
  offeredEndpoints,
} from "./endpoint-choice.ts";
import { baseUrl } from "./endpoints.ts";
import { failureOf, type GoogleAccess, getGoogleResource } from "./google-api.ts";

export type { EndpointChoice } from "./endpoint-choice.ts";

const ClusterList = v.object({ clusters: v.array(v.object({ name: v.string(), location: v.string() })) });

/** A cluster, and the endpoint at which this run reaches it. */
export interface Cluster extends ClusterName, ChosenEndpoint {
  /** Version of the control plane, e.g. `1.35.4-gke.100`. */
  version: string;
  /** The endpoints that the cluster has, the best first. */
  offers: Exclude<EndpointChoice, "auto">[];
  /** Whether its IP endpoints answer authorized networks only. */
  authorizedNetworks: boolean;
  /** `projects/P/global/networks/N`; with a Shared VPC, P is its host project. */
  network: string | undefined;
  /** `projects/P/regions/R/subnetworks/S` */
  subnetwork: string | undefined;
}

/**
 * Gets a cluster from the container API, checks that an Ingress with container-native load balancing can work
 * on it, and chooses the endpoint of its API server.
 *
 * @param route `fleetMembership` is for the endpoint `connect_gateway`; by default the cluster's own
 * @throws ActionError if the cluster doesn't exist, can't be read or used, or lacks the endpoint
 */
export async function lookUpCluster(
  cluster: ClusterName,
  route: { endpoint: EndpointChoice; fleetMembership?: string | undefined },
  access: GoogleAccess,
): Promise<Cluster> {
  const base = baseUrl("container", access.environment, access.universe);
  const parent = `${base}/projects/${cluster.projectId}/locations`;
  let answer: unknown;
  try {
    answer = await getGoogleResource(`${parent}/${cluster.location}/clusters/${cluster.name}`, access);
  } catch (error) {
    throw await clusterError(error, cluster, () => getGoogleResource(`${parent}/-/clusters`, access));
  }
  const resource = parseCluster(answer, cluster);
  requireUsable(resource, cluster);
  const chosen =
    route.endpoint === "connect_gateway"
      ? await throughGateway(membershipOf(route.fleetMembership, resource.fleetMembership, cluster), access)
      : chooseEndpoint(resource, route.endpoint, cluster);
  const { version, authorizedNetworks, network, subnetwork } = resource;
  const offers = offeredEndpoints(resource);
  return { ...cluster, ...chosen, version, authorizedNetworks, offers, network, subnetwork };
}

async function throughGateway(membership: string, access: GoogleAccess): Promise<ChosenEndpoint> {
  return {
    endpoint: "connect_gateway",
    reason: "the input endpoint says so",
    server: await gatewayServer(membership, access),
    caCertificate: undefined,
  };
}

async function clusterError(
  error: unknown,
  cluster: ClusterName,
  listClusters: () => Promise<unknown>,
): Promise<ActionError> {
  const { status, text: why, reason } = failureOf(error);
  const details = { why, cause: error };
  if (status === 404) {
    return new ActionError(`There is no ${describeCluster(cluster)}.`, {
      ...details,
      fix: `check cluster_name, location and project_id.${await existingClusters(listClusters)}`,
    });
  }
  if (status === 400) {
    return new ActionError(`The container API doesn't accept the name of the ${describeCluster(cluster)}.`, {
      ...details,
      fix: `check cluster_name, location (a region or a zone) and project_id.${await existingClusters(listClusters)}`,
    });
  }
  if (status === 403 && (reason === "SERVICE_DISABLED" || why.includes("has not been used in project"))) {
    return new ActionError(`The Kubernetes Engine API is not enabled in the project ${cluster.projectId}.`, {
      ...details,
      fix: `check project_id, or run: gcloud services enable container.googleapis.com --project=${cluster.projectId}`,
    });
  }
  if (status === 403) {
    return new ActionError(`The credentials may not read the ${describeCluster(cluster)}.`, {
      ...details,
      fix: `check project_id, and grant the identity that runs this roles/container.developer in the project ${cluster.projectId} (it holds container.clusters.get).`,
    });
  }
  if (status === 401) {
    return new ActionError("The container API doesn't accept the credentials.", {
      ...details,
      fix: "the token may have been revoked: authenticate again.",
    });
  }
  return new ActionError(`The ${describeCluster(cluster)} could not be looked up, even after retries.`, {
    ...details,
    fix: "run the job again. A runner without direct access to Google needs HTTPS_PROXY.",
  });
}

/** Names the project's clusters. Empty if they can't be listed: the error already reports the 404. */
async function existingClusters(listClusters: () => Promise<unknown>): Promise<string> {
  const list = await listClusters().catch(() => undefined);
  if (!v.is(ClusterList, list)) return "";
  return ` The project has: ${list.clusters.map(({ name, location }) => `${name} (${location})`).join(", ")}.`;
}
