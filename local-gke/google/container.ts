import type { Cloud } from "../cloud.ts";
import { type Api, bearerToken, googleError } from "./http.ts";
import { type AccessTokens, unauthenticated } from "./token-services.ts";

/** The one cluster of the pretended project. */
export interface LocalCluster {
  name: string;
  location: string;
  /** Host and port of the API server. */
  endpoint: string;
  caCertificatePem: string;
  version: string;
  /** Members laid over the answer, to pretend another kind of cluster, e.g. `{ status: "PROVISIONING" }`. */
  members?: Record<string, unknown>;
}

/** container.googleapis.com: `clusters.get` and `clusters.list`. */
export function container(cloud: Cloud, cluster: LocalCluster, tokens: AccessTokens): Api {
  const project = `projects/${cloud.projectId}`;
  return (request) => {
    if (!tokens.accepts(bearerToken(request))) return unauthenticated();
    const [, path, projectId, location, name] =
      /^\/(projects\/([^/]+)\/locations\/([^/]+)\/clusters(?:\/([^/]+))?)$/.exec(request.path) ?? [];
    if (request.method !== "GET" || !path) return googleError(404, "NOT_FOUND", "Not Found");
    if (cloud.faults.has("disabled-container-api")) {
      return googleError(
        403,
        "PERMISSION_DENIED",
        "Kubernetes Engine API has not been used in project 123456789012 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/container.googleapis.com/overview?project=123456789012 then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.",
        "SERVICE_DISABLED",
      );
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
      return { status: 200, body: here ? { clusters: [resource(cluster, project)] } : {} };
    }
    if (name !== cluster.name || location !== cluster.location) {
      return googleError(404, "NOT_FOUND", `Not found: ${path}.`);
    }
    return { status: 200, body: resource(cluster, project) };
  };
}

function resource(cluster: LocalCluster, project: string): Record<string, unknown> {
  return {
    name: cluster.name,
    location: cluster.location,
    locations: [cluster.location],
    selfLink: `https://container.googleapis.com/v1/${project}/locations/${cluster.location}/clusters/${cluster.name}`,
    status: "RUNNING",
    endpoint: cluster.endpoint,
    initialClusterVersion: cluster.version,
    currentMasterVersion: cluster.version,
    masterAuth: { clusterCaCertificate: Buffer.from(cluster.caCertificatePem).toString("base64") },
    addonsConfig: {
      httpLoadBalancing: {},
      horizontalPodAutoscaling: {},
      networkPolicyConfig: { disabled: true },
    },
    ipAllocationPolicy: { useIpAliases: true, stackType: "IPV4" },
    controlPlaneEndpointsConfig: {
      dnsEndpointConfig: { endpoint: `gke-0123456789abcdef-123456789012.${cluster.location}.gke.goog` },
      ipEndpointsConfig: {
        enabled: true,
        enablePublicEndpoint: true,
        publicEndpoint: cluster.endpoint,
        privateEndpoint: "10.128.0.2",
      },
    },
    privateClusterConfig: { privateEndpoint: "10.128.0.2", publicEndpoint: cluster.endpoint },
    ...cluster.members,
  };
}
