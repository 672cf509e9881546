import { which } from "@actions/io";
import { ActionError } from "../base/errors.ts";
import { runCommandFile } from "../base/process.ts";
import { type AccessToken, UNKNOWN_LIFETIME } from "./access-token.ts";
import { fields } from "./google-api.ts";

/** What gcloud's active configuration gives to other tools. */
export interface GcloudSession {
  token: AccessToken;
  account: string;
  projectId: string | undefined;
  universe: string | undefined;
  quotaProject: string | undefined;
}

/**
 * Fetches a new token for the account that is logged in to gcloud.
 *
 * @throws ActionError if gcloud is not on PATH, or nobody is logged in
 */
export async function gcloudSession(): Promise<GcloudSession> {
  const path = await which("gcloud");
  if (!path) throw new ActionError("gcloud is not on PATH.");
  // Without --force-auth-refresh it returns its old token until that expires.
  const output = await runCommandFile(path, [
    "config",
    "config-helper",
    "--format=json",
    "--force-auth-refresh",
  ]);
  if (output.exitCode !== 0) throw new ActionError(output.stderr.split("\n")[0] ?? "");

  const { credential, configuration } = fields(JSON.parse(output.stdout));
  const { access_token: value, token_expiry: expiry } = fields(credential);
  const { core, billing } = fields(fields(configuration).properties);
  const { account, project, universe_domain: universe } = fields(core);
  const { quota_project: quotaProject } = fields(billing);
  if (typeof value !== "string" || !value) throw new ActionError("gcloud printed no access_token.");
  const expires = Date.parse(String(expiry));
  return {
    token: { value, expires: Number.isNaN(expires) ? Date.now() + UNKNOWN_LIFETIME : expires },
    account: String(account),
    projectId: typeof project === "string" ? project : undefined,
    universe: typeof universe === "string" ? universe : undefined,
    quotaProject: typeof quotaProject === "string" ? quotaProjectIn(quotaProject, project) : undefined,
  };
}

/** gcloud's property billing/quota_project holds a project or one of three words. */
function quotaProjectIn(property: string, project: unknown): string | undefined {
  if (property === "LEGACY") return undefined;
  if (!property.startsWith("CURRENT_PROJECT")) return property;
  return typeof project === "string" ? project : undefined;
}
