import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { type ClusterName, describeCluster } from "./cluster-resource.ts";
import { baseUrl, endpointOverride } from "./endpoints.ts";
import { failureOf, type GoogleAccess, getGoogleResource } from "./google-api.ts";

/** The response of generateCredentials. */
const GatewayCredentials = v.object({ endpoint: v.pipe(v.string(), v.url()) });

const MEMBERSHIP = /^projects\/([^/]+)\/locations\/([^/]+)\/(?:memberships|gkeMemberships)\/([^/]+)$/;

/**
 * Returns the full name of the fleet membership that Connect gateway uses for a cluster.
 *
 * @param wanted the input `fleet_membership`: a full name, or its last part, with project and location as in
 *   the cluster's own membership
 * @param own the cluster's own membership, undefined if it is in no fleet
 * @throws ActionError if there is none
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
  const full = !wanted || wanted.includes("/") ? (wanted ?? own ?? "") : inSameLocation(wanted, own, cluster);
  const [, project, location, name] = MEMBERSHIP.exec(full) ?? [];
  if (!project || !location || !name) {
    throw new ActionError(`"${full}" is not the name of a fleet membership.`, {
      fix: "set the input fleet_membership to projects/<project>/locations/<location>/memberships/<name>: `gcloud container fleet memberships list --uri`.",
    });
  }
  return `projects/${project}/locations/${location}/memberships/${name}`;
}

/**
 * Returns the URL of a membership's API server, from Connect gateway: the URL has the project's number, which
 * this action can't learn elsewhere. A membership that is not global has a gateway in its own region.
 *
 * @throws ActionError if the membership doesn't exist, or the credentials may not use the gateway
 */
export async function gatewayServer(membership: string, access: GoogleAccess): Promise<string> {
  const [, project = "", location = ""] = MEMBERSHIP.exec(membership) ?? [];
  const url = `${gatewayUrl(location, access)}/${membership}:generateCredentials`;
  let answer: unknown;
  try {
    answer = await getGoogleResource(url, access);
  } catch (error) {
    throw gatewayError(error, membership, project);
  }
  if (!v.is(GatewayCredentials, answer)) {
    throw new ActionError(`Connect gateway gives no endpoint for ${membership}.`, {
      why: JSON.stringify(answer)?.slice(0, 300),
    });
  }
  return answer.endpoint;
}

/** Returns the base URL of the gateway for the memberships of a location. */
export function gatewayUrl(location: string, { environment, universe }: GoogleAccess): string {
  const everywhere = baseUrl("connectgateway", environment, universe);
  if (location === "global" || endpointOverride("connectgateway", environment)) return everywhere;
  return everywhere.replace("https://", `https://${location}-`);
}

/**
 * Without an own membership, the cluster's region: that is where new memberships are. Old ones are global.
 */
function inSameLocation(name: string, own: string | undefined, { projectId, location }: ClusterName): string {
  const region = location.replace(/-[a-z]$/, "");
  return own?.replace(/[^/]+$/, name) ?? `projects/${projectId}/locations/${region}/memberships/${name}`;
}

function gatewayError(error: unknown, membership: string, project: string): ActionError {
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
  return new ActionError(`Connect gateway gave no answer for ${membership}, even after retries.`, {
    ...details,
    fix: "run the job again. A runner without direct access to Google needs HTTPS_PROXY.",
  });
}
