import { ActionError, messageOf } from "../base/errors.ts";
import { info, warning } from "../base/log.ts";
import { mayBePolicyOf, policyDescription, policyName } from "../gke/allowed-ranges.ts";
import type { SecurityPolicy } from "../gke/compute-resources.ts";
import type { GoogleProject } from "../gke/google-api.ts";
import { getSecurityPolicy } from "../gke/security-policies.ts";
import type { Settings } from "../inputs/settings.ts";
import type { KubernetesObject } from "../kubernetes/objects.ts";
import { attachedPolicy } from "../loadbalancer/client-policy.ts";
import type { Access } from "./access.ts";

/** The Cloud Armor policy of allowed_ranges at Google. */
export interface ClientPolicy {
  name: string;
  description: string;
  project: GoogleProject;
  /** Undefined while it doesn't exist. */
  live: SecurityPolicy | undefined;
  /** Whether this action made the one that exists. */
  isOurs: boolean;
}

type PolicySettings = Pick<Settings, "allowedRanges" | "namespace" | "ingressName" | "backendConfigName">;

/**
 * Returns the policy of allowed_ranges; without that input the one that an earlier
 * run made, if it still exists.
 *
 * @param objects the live ones: the BackendConfig tells whether there may be a policy
 * @throws ActionError when Google can't be asked about a wanted policy
 */
export async function observeClientPolicy(
  settings: PolicySettings,
  access: Pick<Access, "api" | "project">,
  objects: readonly KubernetesObject[],
): Promise<ClientPolicy | undefined> {
  if (settings.allowedRanges.length > 0) return await readPolicy(settings, access);
  const attached = attachedPolicy(objects, settings.backendConfigName);
  const use = { namespace: settings.namespace, ingress: settings.ingressName };
  // A policy of the user's own doesn't matter here.
  const mayExist = attached === "" || (attached !== undefined && mayBePolicyOf(use, attached));
  return mayExist ? await formerPolicy(settings, access, attached) : undefined;
}

/** @param attached the policy that the BackendConfig names; empty after one was removed */
async function formerPolicy(
  settings: PolicySettings,
  access: Pick<Access, "api" | "project">,
  attached: string,
): Promise<ClientPolicy | undefined> {
  try {
    const policy = await readPolicy(settings, access);
    return policy.live && policy.isOurs ? policy : undefined;
  } catch (error) {
    if (!(error instanceof ActionError)) throw error;
    // It may have been the user's own policy that was removed.
    const tell = attached === "" ? info : warning;
    tell(`Can't check whether Google still has the policy of a former allowed_ranges: ${messageOf(error)}`);
    return undefined;
  }
}

async function readPolicy(
  settings: PolicySettings,
  access: Pick<Access, "api" | "project">,
): Promise<ClientPolicy> {
  const use = await policyUse(settings, access);
  const [name, description] = [policyName(use), policyDescription(use)];
  const project = await access.project();
  const live = await getSecurityPolicy(name, project);
  return { name, description, project, live, isOurs: live?.description === description };
}

async function policyUse({ namespace, ingressName }: PolicySettings, { api }: Pick<Access, "api">) {
  const clusterUid = await api.clusterUid();
  if (clusterUid !== undefined) return { namespace, ingress: ingressName, clusterUid };
  throw new ActionError("The Cloud Armor policy of allowed_ranges can't be named; nothing was changed.", {
    why: "the account may not read Namespace kube-system, whose UID tells the clusters of a project apart.",
    fix: "grant it get on that Namespace (roles/container.viewer has it), or name a policy of your own in backend_config (securityPolicy) instead of allowed_ranges.",
  });
}
