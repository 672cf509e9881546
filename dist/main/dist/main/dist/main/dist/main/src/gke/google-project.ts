import { ActionError } from "../base/errors.ts";
import type { Job } from "../base/job.ts";
import type { AccessToken } from "./access-token.ts";
import type { GoogleCredentials } from "./credentials.ts";
import type { GoogleProject } from "./google-api.ts";

/** A token that expires within this time is replaced before it is used, in milliseconds. */
const TOKEN_MARGIN_MS = 60_000;

/**
 * Returns the load balancer's project, whose requests share a token as long as it lives.
 *
 * @param wanted by default the credentials' own
 * @param known a token that is used first
 * @throws ActionError when no project is known
 */
export function googleProject(
  credentials: Omit<GoogleCredentials, "configuration">,
  wanted: string | undefined,
  { environment, signal }: Pick<Job, "environment" | "signal">,
  known?: AccessToken,
): GoogleProject {
  const projectId = wanted ?? credentials.projectId;
  if (!projectId) {
    throw new ActionError(
      "The Google Cloud project of the load balancer is not known; nothing was changed.",
      {
        why: `${credentials.description} names none, and GOOGLE_CLOUD_PROJECT is not set.`,
        fix: "set the input project_id.",
      },
    );
  }
  const { universe, quotaProject } = credentials;
  let token = known && Promise.resolve(known);
  const accessToken = async () => {
    const shared = token;
    const isOld = shared && (await shared).expires < Date.now() + TOKEN_MARGIN_MS;
    // Another request may have replaced it meanwhile.
    if (isOld && token === shared) token = undefined;
    token ??= credentials.accessToken().catch((error: unknown) => {
      token = undefined;
      throw error;
    });
    return (await token).value;
  };
  return { projectId, environment, universe, quotaProject, accessToken, signal };
}
