import { ActionError } from "../base/errors.ts";
import type { Cluster } from "./cluster.ts";
import { describeCluster, updateCommand } from "./cluster-resource.ts";

/**
 * Messages for a missing answer: from Go's network stack in kubectl and Helm, and from this action's own
 * limit.
 */
const NO_ANSWER =
  /connection refused|was refused|no such host|i\/o timeout|Client\.Timeout|deadline exceeded|did not answer within|TLS handshake timeout|no route to host|network is unreachable|connection reset|: EOF/i;

/**
 * Returns the error for a cluster that does not answer, with the other endpoints that it offers.
 *
 * @param failure the output of kubectl or Helm
 * @returns undefined if the failure has another cause
 */
export function unreachableCluster(cluster: Cluster, failure: string): ActionError | undefined {
  const evidence = failure.split("\n").find((line) => NO_ANSWER.test(line));
  if (evidence === undefined) return undefined;
  return new ActionError(
    `The ${describeCluster(cluster)} does not answer at its ${cluster.endpoint} endpoint (${cluster.server}).`,
    { why: evidence.replace(/^Why: /, ""), fix: remedy(cluster) },
  );
}

function remedy(cluster: Cluster): string {
  const { endpoint, authorizedNetworks, offers } = cluster;
  if (endpoint === "dns" || endpoint === "connect_gateway") {
    return "a runner without direct access to Google needs HTTPS_PROXY. Its firewall must allow the connection.";
  }
  const reason =
    endpoint === "private"
      ? "a private endpoint answers only inside the cluster's network, where no GitHub-hosted runner is"
      : authorizedNetworks
        ? "the cluster answers its authorized networks only, and this runner is in none of them"
        : "a firewall may block this runner";
  const others = offers.filter((offer) => offer === "dns" || offer === "connect_gateway");
  const instead =
    others.length > 0
      ? `set the input endpoint to ${others.join(" or ")}`
      : `give the cluster a DNS-based endpoint (${updateCommand(cluster, "--enable-dns-access")}) and set the input endpoint to dns`;
  const network = endpoint === "private" ? "" : ", or authorize the runner's address";
  return `${reason}: ${instead}${network}.`;
}
