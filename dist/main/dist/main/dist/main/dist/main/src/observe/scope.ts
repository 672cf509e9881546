import { ActionError, messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";
import type { Scope } from "../gke/compute-resources.ts";
import type { GoogleProject } from "../gke/google-api.ts";
import type { Settings } from "../inputs/settings.ts";
import type { Access } from "./access.ts";

/**
 * Returns where a load balancer's address and certificates are: an internal one's in its region, an external
 * one's are global.
 *
 * @throws ActionError when the region isn't known
 */
export function scopeOf({
  loadBalancer,
  google: { location },
}: Pick<Settings, "loadBalancer" | "google">): Scope {
  if (loadBalancer === "external") return "global";
  if (location === undefined) {
    throw new ActionError("The region of the internal load balancer is not known; nothing was changed.", {
      why: "its address and certificates at Google belong to a region, and a kubeconfig doesn't name one.",
      fix: "set location to the cluster's region or zone.",
    });
  }
  return `regions/${regionOf(location)}`;
}

/** @param location a region or one of its zones */
export function regionOf(location: string): string {
  return location.replace(/-[a-z]$/, "");
}

/**
 * Returns the Google Cloud project; undefined when it can't be asked. With a kubeconfig there may be no
 * credentials for Google: Google's controller then reports what is wrong.
 *
 * @param what what Google would be asked for, for the log
 */
export async function projectIfAny(
  { cluster }: Pick<Settings, "cluster">,
  access: Pick<Access, "project">,
  what: string,
): Promise<GoogleProject | undefined> {
  if (cluster.kind === "gke") return await access.project();
  try {
    return await access.project();
  } catch (error) {
    info(`Can't check whether Google has ${what}: ${messageOf(error)}`);
    return undefined;
  }
}
