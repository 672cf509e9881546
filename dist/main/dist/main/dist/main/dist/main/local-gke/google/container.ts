import type { Cloud } from "../cloud.ts";
import { type Api, bearerToken, disabled, googleError } from "./http.ts";
import { type AccessTokens, unauthenticated } from "./token-services.ts";

/** The only cluster of the simulated project. */
export interface LocalCluster {
  name: string;
  location: string;
  /** Host and port of the API server. */
  endpoint: string;
  caCertificatePem: string;
  version: string;
  /**
   * Overrides fields of the response to simulate another kind of cluster, e.g. `{ status: "PROVISIONING" }`.
   */
  members?: Record<string, unknown>;
}

/** container.googleapis.com: `clusters.get` and `clusters.list`. */
export function container(cloud: Cloud, cluster: LocalCluster, tokens: AccessTokens): Api {
  return (request) => {
    if (!tokens.accepts(bearerToken(request))) return unauthenticated();
    const [, path, projectId, location, name] =
      /^\/(projects\/([^/]+)\/locations\/([^/]+)\/clusters(?:\/([^/]+))?)$/.exec(request.path) ?? [];
    if (request.method !== "GET" || !path) return googleError(404, "NOT_FOUND", "Not Found");
    if (cloud.faults.has("disabled-container-api")) {
      return disabled("Kubernetes Engine", "container");
    }
    const permission = name ? "container.clusters.get" : "container.clusters.list";
    if (projectId !== cloud.projectId || cloud.faults.has("refuse-clusters-get")) {
      return googleError(
        403,
        "PERMISSION_DENIED",
        `Required "${permission}" permission(s) for "${name ? path : `projects/${projectId}`}".`,
        "IAM_PERMISSION_DENIED",
      );
    }
    if (!name) {
      const here = location === "-" || location === cluster.location;
      return { status: 200, body: here ? { clusters: [resource(cluster, cloud)] } : {} };
    }
    if (name !== cluster.name || location !== cluster.location) {
      return googleError(404, "NOT_FOUND", `Not found: ${path}.`);
    }
    return { status: 200, body: resource(cluster, cloud) };
  };
}

/** The full name of the cluster's fleet membership. It is regional, as for new clusters. */
export function membershipOf({ name, location, members }: LocalCluster, projectId: string): string {
  const { fleet } = members ?? {};
  const registered =
    typeof fleet === "object" && fleet !== null && "membership" in fleet ? String(fleet.membership) : "";
  return (
    registered.replace("//gkehub.googleapis.com/", "") ||
    `projects/${projectId}/locations/${location}/memberships/${name}`
  );
}

/** Nothing listens at this address, as if a firewall blocked the runner. */
const UNREACHABLE = "127.0.0.1:9";

function resource(cluster: LocalCluster, cloud: Cloud): Record<string, unknown> {
  const unreachable = cloud.faults.has("unreachable-cluster");
  const endpoint = unreachable ? UNREACHABLE : cluster.endpoint;
  return {
    name: cluster.name,
    location: cluster.location,
    locations: [cluster.location],
    selfLink:
      `https://container.googleapis.com/v1/projects/${cloud.projectId}` +
      `/locations/${cluster.location}/clusters/${cluster.name}`,
    status: "RUNNING",
    endpoint,
    initialClusterVersion: cluster.version,
    currentMasterVersion: cluster.version,
    masterAuth: { clusterCaCertificate: Buffer.from(cluster.caCertificatePem).toString("base64") },
    addonsConfig: {
      httpLoadBalancing: {},
      horizontalPodAutoscaling: {},
      networkPolicyConfig: { disabled: true },
    },
    network: "default",
    subnetwork: "default",
    networkConfig: {
      network: `projects/${cloud.projectId}/global/networks/default`,
      subnetwork: `projects/${cloud.projectId}/regions/${cloud.region}/subnetworks/default`,
    },
    ipAllocationPolicy: { useIpAliases: true, stackType: "IPV4" },
    controlPlaneEndpointsConfig: {
      dnsEndpointConfig: { endpoint: `gke-0123456789abcdef-123456789012.${cluster.location}.gke.goog` },
      ipEndpointsConfig: {
        enabled: true,
        enablePublicEndpoint: true,
        publicEndpoint: endpoint,
        privateEndpoint: "10.128.0.2",
      },
    },
    privateClusterConfig: { privateEndpoint: "10.128.0.2", publicEndpoint: endpoint },
    masterAuthorizedNetworksConfig: unreachable
      ? { enabled: true, cidrBlocks: [{ displayName: "office", cidrBlock: "203.0.113.0/24" }] }
      : {},
    fleet: {
      project: cloud.projectId,
      membership: `//gkehub.googleapis.com/${membershipOf(cluster, cloud.projectId)}`,
    },
    ...cluster.members,
  };
}
