import { ActionError } from "../errors.ts";
import { failureOf, fields, getResource } from "./google-api.ts";

/** How the control plane is reached; `auto` takes what the cluster offers: public, else DNS, else private. */
export type EndpointChoice = "auto" | "public" | "private" | "dns";

/** Where a cluster is: the three parts of projects/P/locations/L/clusters/C. */
export interface ClusterName {
  projectId: string;
  location: string;
  name: string;
}

export interface Cluster extends ClusterName {
  /** URL of the API server. */
  server: string;
  endpoint: Exclude<EndpointChoice, "auto">;
  /** PEM in base64, as a kubeconfig has it; undefined where the server's certificate is publicly trusted. */
  caCertificate: string | undefined;
  /** Version of the control plane, e.g. `1.35.4-gke.100`. */
  version: string;
}

/** The members of the container API's Cluster that are used here; Google leaves out those that are false. */
interface ClusterResource {
  status: string;
  statusMessage: string;
  version: string;
  vpcNative: boolean;
  httpLoadBalancing: boolean;
  caCertificate: string | undefined;
  publicEndpoint: string | undefined;
  privateEndpoint: string | undefined;
  /** Only when it may be reached from outside Google Cloud. */
  dnsEndpoint: string | undefined;
}

/**
 * Gets a cluster from the container API and makes sure that an Ingress with container-native load balancing can
 * work on it.
 *
 * @param baseUrl of the container API, version included
 * @throws ActionError when there is no such cluster, it may not be read, or it won't do
 */
export async function lookUpCluster(
  cluster: ClusterName,
  endpoint: EndpointChoice,
  baseUrl: string,
  accessToken: string,
): Promise<Cluster> {
  const parent = `${baseUrl}/projects/${cluster.projectId}/locations`;
  let answer: unknown;
  try {
    answer = await getResource(`${parent}/${cluster.location}/clusters/${cluster.name}`, accessToken);
  } catch (error) {
    throw await explained(error, cluster, () => getResource(`${parent}/-/clusters`, accessToken));
  }
  const resource = parseCluster(answer, cluster);
  requireUsable(resource, cluster);
  return { ...cluster, ...chooseEndpoint(resource, endpoint, cluster), version: resource.version };
}

function parseCluster(answer: unknown, cluster: ClusterName): ClusterResource {
  const resource = fields(answer);
  const privateConfig = fields(resource.privateClusterConfig);
  const controlPlane = fields(resource.controlPlaneEndpointsConfig);
  const ip = fields(controlPlane.ipEndpointsConfig);
  const dns = fields(controlPlane.dnsEndpointConfig);
  const status = text(resource.status);
  const version = text(resource.currentMasterVersion);
  if (!status || !version) {
    throw new ActionError(`What the container API says of ${described(cluster)} is not a cluster.`, {
      why: JSON.stringify(answer)?.slice(0, 300),
    });
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
  };
}

/** A cluster that is being updated (RECONCILING) or that has broken nodes (DEGRADED) still serves its API. */
function requireUsable(resource: ClusterResource, cluster: ClusterName): void {
  if (["PROVISIONING", "STOPPING", "ERROR"].includes(resource.status)) {
    throw new ActionError(`The ${described(cluster)} is not running: its status is ${resource.status}.`, {
      why: resource.statusMessage,
      fix: "run this again when `gcloud container clusters describe` shows RUNNING.",
    });
  }
  if (!resource.httpLoadBalancing) {
    throw new ActionError(`The add-on HTTP load balancing of the ${described(cluster)} is off.`, {
      why: "addonsConfig.httpLoadBalancing.disabled is true: no controller would serve the Ingress.",
      fix: `gcloud container clusters update ${cluster.name} --location=${cluster.location} --project=${cluster.projectId} --update-addons=HttpLoadBalancing=ENABLED`,
    });
  }
  if (!resource.vpcNative) {
    throw new ActionError(`The ${described(cluster)} is not VPC-native.`, {
      why: "ipAllocationPolicy.useIpAliases is not true: container-native load balancing (NEGs) needs alias IP addresses.",
      fix: "use a VPC-native cluster; a routes-based one can't be converted.",
    });
  }
}

function chooseEndpoint(
  resource: ClusterResource,
  wanted: EndpointChoice,
  cluster: ClusterName,
): Pick<Cluster, "server" | "endpoint" | "caCertificate"> {
  const offered = [
    ["public", resource.publicEndpoint, resource.caCertificate],
    ["dns", resource.dnsEndpoint, undefined],
    ["private", resource.privateEndpoint, resource.caCertificate],
  ] as const;
  for (const [endpoint, host, caCertificate] of offered) {
    if (!host || (wanted !== "auto" && wanted !== endpoint)) continue;
    if (endpoint !== "dns" && !caCertificate) {
      throw new ActionError(
        `The container API gives no certificate authority for the ${described(cluster)}.`,
        {
          why: "masterAuth.clusterCaCertificate is missing.",
          fix: "set the input endpoint to dns, if the cluster has a DNS-based endpoint.",
        },
      );
    }
    return { server: `https://${host}`, endpoint, caCertificate };
  }
  const names = offered.flatMap(([endpoint, host]) => (host ? [endpoint] : []));
  throw new ActionError(
    wanted === "auto"
      ? `The ${described(cluster)} has no endpoint that can be used.`
      : `The ${described(cluster)} has no ${wanted} endpoint.`,
    {
      why: `it offers: ${names.join(", ") || "none"}.`,
      fix:
        wanted === "dns" || names.length === 0
          ? `gcloud container clusters update ${cluster.name} --location=${cluster.location} --project=${cluster.projectId} --enable-dns-access`
          : "set the input endpoint to one of these, or to auto.",
    },
  );
}

async function explained(
  error: unknown,
  cluster: ClusterName,
  listClusters: () => Promise<unknown>,
): Promise<ActionError> {
  const { status, text: why, reason } = failureOf(error);
  const details = { why, cause: error };
  if (status === 404) {
    return new ActionError(`There is no ${described(cluster)}.`, {
      ...details,
      fix: `check cluster_name, location and project_id.${await existing(listClusters)}`,
    });
  }
  if (status === 400) {
    return new ActionError(`The container API doesn't accept the name of the ${described(cluster)}.`, {
      ...details,
      fix: "check cluster_name, location (a region or a zone) and project_id.",
    });
  }
  if (status === 403 && (reason === "SERVICE_DISABLED" || why.includes("has not been used in project"))) {
    return new ActionError(`The Kubernetes Engine API is not enabled in the project ${cluster.projectId}.`, {
      ...details,
      fix: `check project_id, or run: gcloud services enable container.googleapis.com --project=${cluster.projectId}`,
    });
  }
  if (status === 403) {
    return new ActionError(`The credentials may not read the ${described(cluster)}.`, {
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
  return new ActionError(`The ${described(cluster)} could not be looked up, also not after retries.`, {
    ...details,
    fix: "run the job again; a runner without direct access to Google needs HTTPS_PROXY.",
  });
}

/** Names the project's clusters, or nothing when they may not be listed: that is no news beside a 404. */
async function existing(listClusters: () => Promise<unknown>): Promise<string> {
  const { clusters } = fields(await listClusters().catch(() => undefined));
  if (!Array.isArray(clusters)) return "";
  const names = clusters.map((entry: unknown) => {
    const { name, location } = fields(entry);
    return `${name} (${location})`;
  });
  return ` The project has: ${names.join(", ")}.`;
}

function described({ projectId, location, name }: ClusterName): string {
  return `cluster ${name} in ${location} of the project ${projectId}`;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value ? value : undefined;
}
