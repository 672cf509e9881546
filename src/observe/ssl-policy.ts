import { ActionError, messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { hasSslPolicy } from "../gke/compute.ts";
import type { Settings } from "../inputs/settings.ts";
import type { Access } from "./access.ts";

/**
 * Checks that Google has the SSL policy of frontend_config. Where Google can't be asked, its controller
 * reports later what is wrong.
 *
 * @throws ActionError when there is no such policy
 */
export async function refuseMissingSslPolicy(
  { frontendConfig }: Pick<Settings, "frontendConfig">,
  access: Pick<Access, "project">,
): Promise<void> {
  const name = frontendConfig?.sslPolicy;
  if (typeof name !== "string" || name === "") return;
  const found = await policyAtGoogle(name, access);
  if (!found || found.exists) return;
  throw new ActionError(
    `There is no SSL policy ${name} in the project ${found.projectId}; nothing was changed.`,
    {
      fix: `set sslPolicy in frontend_config to one that exists: gcloud compute ssl-policies list --project=${found.projectId}`,
    },
  );
}

/** Undefined when Google can't be asked: the right to do so is not required. */
async function policyAtGoogle(
  name: string,
  access: Pick<Access, "project">,
): Promise<{ exists: boolean; projectId: string } | undefined> {
  try {
    const project = await access.project();
    return { exists: await hasSslPolicy(name, project), projectId: project.projectId };
  } catch (error) {
    info(`Can't check whether Google has the SSL policy ${name}: ${messageOf(error)}`);
    return undefined;
  }
}
