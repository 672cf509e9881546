import { ActionError } from "../base/errors.ts";
import {
  type ClusterName,
  type ClusterResource,
  describeCluster,
  updateCommand,
} from "./cluster-resource.ts";

/** An endpoint of the control plane whose address `clusters.get` returns. */
export type Endpoint = "public" | "private" | "dns";

/** The input `endpoint`. `auto` chooses from what the cluster offers. */
export type EndpointChoice = "auto" | Endpoint | "connect_gateway";

/** The endpoint at which this run reaches the API server. */
export interface ChosenEndpoint {
  endpoint: Endpoint | "connect_gateway";
  /** Why it was chosen, for the log: follows the word because. */
  reason: string;
  /** URL of the API server. */
  server: string;
  /** PEM in base64, as in a kubeconfig; undefined if the server's certificate is publicly trusted. */
  caCertificate: string | undefined;
}

/**
 * Returns the wanted endpoint. `auto` chooses the first that the cluster offers:
 *
 * 1. `public`. If it answers authorized networks only and there is a DNS-based endpoint, that is used
 *    instead: this action can't tell whether the runner is in an authorized network, and a GitHub-hosted
 *    runner never is.
 * 2. `dns`, which is reachable from everywhere and checks IAM permissions.
 * 3. `private`: a runner for such a cluster is in its network. Connect gateway is never chosen by itself,
 *    because it needs further APIs and roles.
 *
 * @throws ActionError if the cluster doesn't offer the endpoint
 */
export function chooseEndpoint(
  resource: ClusterResource,
  wanted: "auto" | Endpoint,
  cluster: ClusterName,
): ChosenEndpoint {
  const { publicEndpoint, privateEndpoint, dnsEndpoint, caCertificate } = resource;
  const offers = { public: publicEndpoint, dns: dnsEndpoint, private: privateEndpoint };
  const [endpoint, reason] = wanted === "auto" ? automatic(resource) : [wanted, "the input endpoint says so"];
  const host = endpoint && offers[endpoint];
  if (!endpoint || !host) throw notOffered(resource, wanted, cluster);
  if (endpoint === "dns") return { endpoint, reason, server: `https://${host}`, caCertificate: undefined };
  if (!caCertificate) {
    throw new ActionError(
      `The container API gives no certificate authority for the ${describeCluster(cluster)}.`,
      {
        why: "masterAuth.clusterCaCertificate is missing.",
        fix: "set the input endpoint to dns, if the cluster has a DNS-based endpoint.",
      },
    );
  }
  return { endpoint, reason, server: `https://${host}`, caCertificate };
}

/** Returns the endpoints that a cluster offers, the best first. */
export function offeredEndpoints(resource: ClusterResource): Exclude<EndpointChoice, "auto">[] {
  const { publicEndpoint, privateEndpoint, dnsEndpoint, fleetMembership } = resource;
  return [
    ...(publicEndpoint ? (["public"] as const) : []),
    ...(dnsEndpoint ? (["dns"] as const) : []),
    ...(privateEndpoint ? (["private"] as const) : []),
    ...(fleetMembership ? (["connect_gateway"] as const) : []),
  ];
}

function automatic(resource: ClusterResource): [Endpoint | undefined, string] {
  const { publicEndpoint, privateEndpoint, dnsEndpoint, authorizedNetworks } = resource;
  if (publicEndpoint && dnsEndpoint && authorizedNetworks) {
    return ["dns", "its public endpoint answers authorized networks only"];
  }
  if (publicEndpoint) return ["public", "the input endpoint is auto"];
  if (dnsEndpoint) return ["dns", "it has no public endpoint"];
  return [privateEndpoint ? "private" : undefined, "it has no other endpoint that needs no further setup"];
}

function notOffered(resource: ClusterResource, wanted: EndpointChoice, cluster: ClusterName): ActionError {
  const offered = offeredEndpoints(resource);
  return new ActionError(
    wanted === "auto"
      ? `The ${describeCluster(cluster)} has no endpoint that can be used.`
      : `The ${describeCluster(cluster)} has no ${wanted} endpoint.`,
    {
      why: `it offers: ${offered.join(", ") || "none"}.`,
      fix:
        wanted === "dns" || offered.length === 0
          ? updateCommand(cluster, "--enable-dns-access")
          : "set the input endpoint to one of these, or to auto.",
    },
  );
}
