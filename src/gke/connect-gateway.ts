import { ActionError } from "../base/errors.ts";
import { type ClusterName, describeCluster } from "./cluster-resource.ts";
import { baseUrl, endpointOverride } from "./endpoints.ts";
import { failureOf, fields, type GoogleAccess, getResource } from "./google-api.ts";

const MEMBERSHIP = /^projects\/([^/]+)\/locations\/([^/]+)\/(?:memberships|gkeMemberships)\/([^/]+)$/;

/**
 * Returns the full name of the fleet membership through which a cluster is reached.
 *
 * @param wanted the input `fleet_membership`: a full name, or the last part of one, whose project and location are
 *   then those of the cluster's own membership
 * @param own the cluster's own membership, undefined when it is in no fleet
 * @throws ActionError when there is none
 */
export function membershipOf(
  wanted: string | undefined,
  own: string | undefined,
  cluster: ClusterName,
): string {
  if (!wanted && !own) {
    throw new ActionError(`The ${describeCluster(cluster)} is in no fleet: Connect gateway can't reach it.`, {
      why: "clusters.get gives no fleet.membership.",
      fix: `gcloud container clusters update ${cluster.name} --location=${cluster.location} --project=${cluster.projectId} --enable-fleet; or set the input fleet_membership.`,
    });
  }
  const full = !wanted || wanted.includes("/") ? (wanted ?? own ?? "") : besides(wanted, own, cluster);
  const [, project, location, name] = MEMBERSHIP.exec(full) ?? [];
  if (!project || !location || !name) {
    throw new ActionError(`The fleet membership "${full}" is not the name of one.`, {
      fix: "set the input fleet_membership to projects/<project>/locations/<location>/memberships/<name>: `gcloud container fleet memberships list --uri`.",
    });
  }
  return `projects/${project}/locations/${location}/memberships/${name}`;
}

/**
 * Asks Connect gateway for the URL of a membership's API server: it holds the project's number, which is known
 * nowhere else. A membership that is not global has a gateway in its own region.
 *
 * @throws ActionError when there is no such membership or the gateway may not be used
 */
export async function gatewayServer(membership: string, access: GoogleAccess): Promise<string> {
  const [, project = "", location = ""] = MEMBERSHIP.exec(membership) ?? [];
  const url = `${gatewayUrl(location, access)}/${membership}:generateCredentials`;
  let answer: unknown;
  try {
    answer = await getResource(url, access.token);
  } catch (error) {
    throw explained(error, membership, project);
  }
  const { endpoint } = fields(answer);
  if (typeof endpoint !== "string" || !URL.canParse(endpoint)) {
    throw new ActionError(`Connect gateway gives no endpoint for ${membership}.`, {
      why: JSON.stringify(answer)?.slice(0, 300),
    });
  }
  return endpoint;
}

/** Returns the base URL of the gateway that serves the memberships of a location. */
export function gatewayUrl(location: string, { environment, universe }: GoogleAccess): string {
  const everywhere = baseUrl("connectgateway", environment, universe);
  if (location === "global" || endpointOverride("connectgateway", environment)) return everywhere;
  return everywhere.replace("https://", `https://${location}-`);
}

/** A new membership is in the cluster's region; those made before regional ones came are global. */
function besides(name: string, own: string | undefined, { projectId, location }: ClusterName): string {
  const region = location.replace(/-[a-z]$/, "");
  return own?.replace(/[^/]+$/, name) ?? `projects/${projectId}/locations/${region}/memberships/${name}`;
}

function explained(error: unknown, membership: string, project: string): ActionError {
  const { status, text: why, reason } = failureOf(error);
  const details = { why, cause: error };
  if (reason === "SERVICE_DISABLED" || why.includes("has not been used in project")) {
    return new ActionError(`The Connect gateway API is not enabled in the project ${project}.`, {
      ...details,
      fix: `gcloud services enable connectgateway.googleapis.com gkehub.googleapis.com --project=${project}`,
    });
  }
  if (status === 404) {
    return new ActionError(`There is no fleet membership ${membership}.`, {
      ...details,
      fix: `check fleet_membership: gcloud container fleet memberships list --project=${project}`,
    });
  }
  if (status === 403) {
    return new ActionError(`The credentials may not use Connect gateway for ${membership}.`, {
      ...details,
      fix: `grant the identity that runs this roles/gkehub.gatewayEditor and roles/gkehub.viewer in the project ${project}.`,
    });
  }
  return new ActionError(`Connect gateway could not be asked for ${membership}, also not after retries.`, {
    ...details,
    fix: "run the job again; a runner without direct access to Google needs HTTPS_PROXY.",
  });
}
