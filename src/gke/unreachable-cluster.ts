import { ActionError } from "../base/errors.ts";
import type { Cluster } from "./cluster.ts";
import { describeCluster, updateCommand } from "./cluster-resource.ts";

/** What is said when nobody answers: by Go's network stack, in kubectl and Helm, and by this action's own limit. */
const NOBODY_ANSWERS =
  /connection refused|was refused|no such host|i\/o timeout|Client\.Timeout|deadline exceeded|did not answer within|TLS handshake timeout|no route to host|network is unreachable|connection reset|: EOF/i;

/**
 * Returns the error for a cluster that does not answer, with what this very cluster offers instead.
 *
 * @param failure what kubectl or Helm printed
 * @returns undefined when that has another cause
 */
export function unreachableCluster(cluster: Cluster, failure: string): ActionError | undefined {
  const evidence = failure.split("\n").find((line) => NOBODY_ANSWERS.test(line));
  if (evidence === undefined) return undefined;
  return new ActionError(
    `The ${describeCluster(cluster)} does not answer at its ${cluster.endpoint} endpoint (${cluster.server}).`,
    { why: evidence.replace(/^Why: /, ""), fix: remedy(cluster) },
  );
}

function remedy(cluster: Cluster): string {
  const { endpoint, authorizedNetworks, offers } = cluster;
  if (endpoint === "dns" || endpoint === "connect_gateway") {
    return "a runner without direct access to Google needs HTTPS_PROXY; a firewall on its way out must let it through.";
  }
  const reason =
    endpoint === "private"
      ? "a private endpoint answers only inside the cluster's network, where no GitHub-hosted runner is"
      : authorizedNetworks
        ? "the cluster answers to its authorized networks only, to which this runner does not belong"
        : "a firewall may stand between this runner and the cluster";
  const others = offers.filter((offer) => offer === "dns" || offer === "connect_gateway");
  const instead =
    others.length > 0
      ? `set the input endpoint to ${others.join(" or ")}`
      : `give the cluster a DNS-based endpoint (${updateCommand(cluster, "--enable-dns-access")}) and set the input endpoint to dns`;
  const network = endpoint === "private" ? "" : ", or let the runner's address in";
  return `${reason}: ${instead}${network}.`;
}
