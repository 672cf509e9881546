import * as v from "valibot";
import { ActionError } from "../base/errors.ts";

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

const Flag = v.optional(v.boolean());
const Text = v.optional(v.string());
const Required = v.pipe(v.string(), v.nonEmpty());

/** cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters */
const Cluster = v.object({
  status: Required,
  statusMessage: Text,
  currentMasterVersion: Required,
  endpoint: Text,
  masterAuth: v.optional(v.object({ clusterCaCertificate: Text })),
  ipAllocationPolicy: v.optional(v.object({ useIpAliases: Flag })),
  addonsConfig: v.optional(v.object({ httpLoadBalancing: v.optional(v.object({ disabled: Flag })) })),
  privateClusterConfig: v.optional(v.object({ enablePrivateEndpoint: Flag, privateEndpoint: Text })),
  masterAuthorizedNetworksConfig: v.optional(v.object({ enabled: Flag })),
  controlPlaneEndpointsConfig: v.optional(
    v.object({
      ipEndpointsConfig: v.optional(
        v.object({
          enabled: Flag,
          enablePublicEndpoint: Flag,
          privateEndpoint: Text,
          authorizedNetworksConfig: v.optional(v.object({ enabled: Flag })),
        }),
      ),
      dnsEndpointConfig: v.optional(v.object({ allowExternalTraffic: Flag, endpoint: Text })),
    }),
  ),
  fleet: v.optional(v.object({ membership: Text })),
  networkConfig: v.optional(v.object({ network: Text, subnetwork: Text })),
});

/**
 * Parses the response of the container API's `clusters.get`.
 *
 * @throws ActionError if it is not a cluster
 */
export function parseCluster(answer: unknown, cluster: ClusterName): ClusterResource {
  if (!v.is(Cluster, answer)) {
    throw new ActionError(
      `The container API did not answer with a cluster for the ${describeCluster(cluster)}.`,
      {
        why: JSON.stringify(answer)?.slice(0, 300),
      },
    );
  }
  const { privateClusterConfig: privacy, networkConfig } = answer;
  const { ipEndpointsConfig: ip, dnsEndpointConfig: dns } = answer.controlPlaneEndpointsConfig ?? {};
  const noIp = ip?.enabled === false;
  const privateOnly = noIp || privacy?.enablePrivateEndpoint || ip?.enablePublicEndpoint === false;
  return {
    status: answer.status,
    statusMessage: answer.statusMessage ?? "",
    version: answer.currentMasterVersion,
    vpcNative: answer.ipAllocationPolicy?.useIpAliases ?? false,
    httpLoadBalancing: !answer.addonsConfig?.httpLoadBalancing?.disabled,
    caCertificate: answer.masterAuth?.clusterCaCertificate || undefined,
    publicEndpoint: (!privateOnly && answer.endpoint) || undefined,
    privateEndpoint: (!noIp && (privacy?.privateEndpoint || ip?.privateEndpoint)) || undefined,
    dnsEndpoint: (dns?.allowExternalTraffic && dns.endpoint) || undefined,
    authorizedNetworks:
      (answer.masterAuthorizedNetworksConfig?.enabled || ip?.authorizedNetworksConfig?.enabled) ?? false,
    fleetMembership: answer.fleet?.membership?.replace(/^\/\/[^/]+\//, "") || undefined,
    network: networkConfig?.network || undefined,
    subnetwork: networkConfig?.subnetwork || undefined,
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
