import { ActionError } from "../base/errors.ts";
import { type Failure, isProjectMissing } from "./google-api.ts";

const API_TITLES = { compute: "Compute Engine", dns: "Cloud DNS" } as const;

/** What a request to an API does and needs, for its error message. */
export interface GoogleOperation {
  service: keyof typeof API_TITLES;
  /** To follow `may not` and `could not`, e.g. `reserve the static address x`. */
  task: string;
  permission: string;
  /** A role that holds the permission. */
  role: string;
}

/** Returns the error for a failed operation: what it means, Google's own text, what to change. */
export function refusedOperation(
  failure: Failure,
  projectId: string,
  { service, task, permission, role }: GoogleOperation,
): ActionError {
  const { status, text: why, reason = "" } = failure;
  const title = API_TITLES[service];
  if (
    /^(SERVICE_DISABLED|accessNotConfigured)$/.test(reason) ||
    why.includes("has not been used in project")
  ) {
    return new ActionError(
      `The ${title} API is not enabled in the project ${projectId}: could not ${task}.`,
      {
        why,
        fix: `run: gcloud services enable ${service}.googleapis.com --project=${projectId}`,
      },
    );
  }
  if (/^(quotaExceeded|QUOTA_EXCEEDED)$/.test(reason)) {
    return new ActionError(`Could not ${task}: the project ${projectId} has used up a quota.`, {
      why,
      fix: "raise that quota (IAM & Admin > Quotas) or delete what no longer needs it, then run again.",
    });
  }
  if (status === 401) {
    return new ActionError(`The ${title} API doesn't accept the credentials: could not ${task}.`, {
      why,
      fix: "the token may have been revoked: authenticate again.",
    });
  }
  if (status === 404 && isProjectMissing(failure)) {
    return new ActionError(`Could not ${task}: there is no project ${projectId}.`, {
      why,
      fix: "check project_id and dns_project_id.",
    });
  }
  if (status === 403 && !/rateLimitExceeded$/i.test(reason)) {
    return new ActionError(`The credentials may not ${task}.`, {
      why,
      fix: `grant the identity that runs this ${role} in the project ${projectId} (it holds ${permission}).`,
    });
  }
  if (status !== undefined && status >= 400 && status < 500 && status !== 429 && status !== 403) {
    return new ActionError(`Google refused to ${task}.`, { why, fix: "correct the field that it names." });
  }
  return new ActionError(`Could not ${task}, even after retries.`, {
    why,
    fix: "run the job again. A runner without direct access to Google needs HTTPS_PROXY.",
  });
}
