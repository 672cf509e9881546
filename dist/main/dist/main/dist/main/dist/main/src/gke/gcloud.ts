import { which } from "@actions/io";
import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { runCommandFile } from "../base/process.ts";
import { type AccessToken, UNKNOWN_LIFETIME } from "./access-token.ts";

/** What `gcloud config config-helper` prints. */
const ConfigHelper = v.object({
  credential: v.object({
    access_token: v.pipe(v.string(), v.nonEmpty()),
    token_expiry: v.optional(v.string()),
  }),
  configuration: v.object({
    properties: v.object({
      core: v.object({
        account: v.string(),
        project: v.optional(v.string()),
        universe_domain: v.optional(v.string()),
      }),
      billing: v.optional(v.object({ quota_project: v.optional(v.string()) })),
    }),
  }),
});

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

  const session = parseJson(ConfigHelper, output.stdout);
  if (!session) throw new ActionError("gcloud printed no access_token.");
  const { access_token: value, token_expiry: expiry } = session.credential;
  const { core, billing } = session.configuration.properties;
  const expires = Date.parse(expiry ?? "");
  return {
    token: { value, expires: Number.isNaN(expires) ? Date.now() + UNKNOWN_LIFETIME : expires },
    account: core.account,
    projectId: core.project,
    universe: core.universe_domain,
    quotaProject: billing?.quota_project && quotaProjectIn(billing.quota_project, core.project),
  };
}

/** gcloud's property billing/quota_project holds a project or one of three words. */
function quotaProjectIn(property: string, project: string | undefined): string | undefined {
  if (property === "LEGACY") return undefined;
  return property.startsWith("CURRENT_PROJECT") ? project : property;
}
