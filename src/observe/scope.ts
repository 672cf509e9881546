import { ActionError, messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";
import type { Scope } from "../gke/compute-resources.ts";
import type { GoogleProject } from "../gke/google-api.ts";
import type { Settings } from "../inputs/settings.ts";
import type { Access } from "./access.ts";

/**
 * Returns where a load balancer's address and certificates are: those of an external one are global.
 *
 * @throws ActionError when the region of an internal one isn't known
 */
export function scopeOf({ loadBalancer, google: { location } }: Settings): Scope {
  if (loadBalancer === "external") return "global";
  if (location === undefined) {
    throw new ActionError("The region of the internal load balancer is not known; nothing was changed.", {
      why: "its address and certificates at Google belong to a region, which a kubeconfig doesn't tell.",
      fix: "set location to the cluster's region or zone.",
    });
  }
  return `regions/${regionOf(location)}`;
}

/** Returns the region of a cluster's location, which is that region or one of its zones. */
export function regionOf(location: string): string {
  return location.replace(/-[a-z]$/, "");
}

/**
 * Returns the project at Google, undefined when it can't be asked: with a kubeconfig there may be no credentials for
 * Google, and what they would be for is then left to the controller.
 *
 * @param what what Google would be asked for, for the log
 */
export async function projectIfAny(
  { cluster }: Settings,
  access: Access,
  what: string,
): Promise<GoogleProject | undefined> {
  if (cluster.kind === "gke") return await access.project();
  try {
    return await access.project();
  } catch (error) {
    info(`Whether Google has ${what} can't be checked here: ${messageOf(error)}`);
    return undefined;
  }
}
