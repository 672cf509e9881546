import { ActionError } from "../base/errors.ts";
import { fields } from "./google-api.ts";

/** The three parts of a cluster's name, projects/P/locations/L/clusters/C. */
export interface ClusterName {
  projectId: string;
  location: string;
  name: string;
}

/** What this action uses of the container API's Cluster. Google's JSON leaves out fields that are false. */
export interface ClusterResource {
  status: string;
  statusMessage: string;
  version: string;
  vpcNative: boolean;
  httpLoadBalancing: boolean;
  caCertificate: string | undefined;
  publicEndpoint: string | undefined;
  privateEndpoint: string | undefined;
  /** Undefined unless it accepts traffic from outside Google Cloud. */
  dnsEndpoint: string | undefined;
  /** Whether the IP endpoints answer authorized networks only. */
  authorizedNetworks: boolean;
  /** The cluster's own fleet membership, `projects/P/locations/L/memberships/M`. */
  fleetMembership: string | undefined;
  /** `projects/P/global/networks/N`. */
  network: string | undefined;
  /** `projects/P/regions/R/subnetworks/S`. */
  subnetwork: string | undefined;
}

/**
 * Parses the response of the container API's `clusters.get`.
 *
 * @throws ActionError if it is not a cluster
 */
export function parseCluster(answer: unknown, cluster: ClusterName): ClusterResource {
  const resource = fields(answer);
  const privateConfig = fields(resource.privateClusterConfig);
  const controlPlane = fields(resource.controlPlaneEndpointsConfig);
  const ip = fields(controlPlane.ipEndpointsConfig);
  const dns = fields(controlPlane.dnsEndpointConfig);
  const status = text(resource.status);
  const version = text(resource.currentMasterVersion);
  if (!status || !version) {
    throw new ActionError(
      `The container API did not answer with a cluster for the ${describeCluster(cluster)}.`,
      {
        why: JSON.stringify(answer)?.slice(0, 300),
      },
    );
  }
  const noIp = ip.enabled === false;
  const privateOnly =
    noIp || privateConfig.enablePrivateEndpoint === true || ip.enablePublicEndpoint === false;
  return {
    status,
    statusMessage: text(resource.statusMessage) ?? "",
    version,
    vpcNative: fields(resource.ipAllocationPolicy).useIpAliases === true,
    httpLoadBalancing: fields(fields(resource.addonsConfig).httpLoadBalancing).disabled !== true,
    caCertificate: text(fields(resource.masterAuth).clusterCaCertificate),
    publicEndpoint: privateOnly ? undefined : text(resource.endpoint),
    privateEndpoint: noIp ? undefined : (text(privateConfig.privateEndpoint) ?? text(ip.privateEndpoint)),
    dnsEndpoint: dns.allowExternalTraffic === true ? text(dns.endpoint) : undefined,
    authorizedNetworks:
      fields(resource.masterAuthorizedNetworksConfig).enabled === true ||
      fields(ip.authorizedNetworksConfig).enabled === true,
    fleetMembership: text(fields(resource.fleet).membership)?.replace(/^\/\/[^/]+\//, ""),
    network: text(fields(resource.networkConfig).network),
    subnetwork: text(fields(resource.networkConfig).subnetwork),
  };
}

/**
 * Refuses a cluster on which an Ingress with container-native load balancing can't work. A cluster that is
 * being updated (RECONCILING) or has broken nodes (DEGRADED) still serves its API.
 *
 * @throws ActionError with what to change
 */
export function requireUsable(resource: ClusterResource, cluster: ClusterName): void {
  if (["PROVISIONING", "STOPPING", "ERROR"].includes(resource.status)) {
    throw new ActionError(
      `The ${describeCluster(cluster)} is not running: its status is ${resource.status}.`,
      {
        why: resource.statusMessage,
        fix: "run this again when `gcloud container clusters describe` shows RUNNING.",
      },
    );
  }
  if (!resource.httpLoadBalancing) {
    throw new ActionError(`The HTTP load balancing add-on of the ${describeCluster(cluster)} is off.`, {
      why: "addonsConfig.httpLoadBalancing.disabled is true: no controller would serve the Ingress.",
      fix: updateCommand(cluster, "--update-addons=HttpLoadBalancing=ENABLED"),
    });
  }
  if (!resource.vpcNative) {
    throw new ActionError(`The ${describeCluster(cluster)} is not VPC-native.`, {
      why: "ipAllocationPolicy.useIpAliases is not true: container-native load balancing (NEGs) needs alias IP addresses.",
      fix: "use a VPC-native cluster; a routes-based one can't be converted.",
    });
  }
}

/** Returns a cluster's name and location in words, without an article. */
export function describeCluster({ projectId, location, name }: ClusterName): string {
  return `cluster ${name} in ${location} of the project ${projectId}`;
}

/** Returns the command that changes one setting of a cluster. */
export function updateCommand({ projectId, location, name }: ClusterName, flag: string): string {
  return `gcloud container clusters update ${name} --location=${location} --project=${projectId} ${flag}`;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value ? value : undefined;
}
