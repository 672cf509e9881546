import { which } from "@actions/io";
import { ActionError } from "../base/errors.ts";
import { runCommandFile } from "../base/process.ts";
import { type AccessToken, UNKNOWN_LIFETIME } from "./access-token.ts";
import { fields } from "./google-api.ts";

/** What gcloud's active configuration has for a tool. */
export interface GcloudSession {
  token: AccessToken;
  account: string;
  projectId: string | undefined;
  universe: string | undefined;
}

/**
 * Has gcloud fetch a new token for the account that is logged in.
 *
 * @throws ActionError when there is no gcloud on PATH, or nobody is logged in
 */
export async function gcloudSession(): Promise<GcloudSession> {
  const path = await which("gcloud");
  if (!path) throw new ActionError("gcloud is not on PATH.");
  // Unless it is told to, it hands out its old token until that ends.
  const output = await runCommandFile(path, [
    "config",
    "config-helper",
    "--format=json",
    "--force-auth-refresh",
  ]);
  if (output.exitCode !== 0) throw new ActionError(output.stderr.split("\n")[0] ?? "");

  const { credential, configuration } = fields(JSON.parse(output.stdout));
  const { access_token: value, token_expiry: expiry } = fields(credential);
  const {
    account,
    project,
    universe_domain: universe,
  } = fields(fields(fields(configuration).properties).core);
  if (typeof value !== "string" || !value) throw new ActionError("gcloud printed no access_token.");
  const expires = Date.parse(String(expiry));
  return {
    token: { value, expires: Number.isNaN(expires) ? Date.now() + UNKNOWN_LIFETIME : expires },
    account: String(account),
    projectId: typeof project === "string" ? project : undefined,
    universe: typeof universe === "string" ? universe : undefined,
  };
}
