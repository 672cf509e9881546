import { getAddress } from "../gke/compute.ts";
import type { Address, Scope } from "../gke/compute-resources.ts";
import type { GoogleProject } from "../gke/google-api.ts";
import { type AddressUse, problemOfAddress } from "../gke/static-address.ts";
import type { Settings } from "../inputs/settings.ts";
import type { Ingress } from "../kubernetes/objects.ts";
import type { Access } from "./access.ts";
import { projectIfAny, regionOf, scopeOf } from "./scope.ts";

/** The inputs on which the static address depends. */
export type AddressSettings = Pick<
  Settings,
  | "staticIpName"
  | "createStaticIp"
  | "deleteStaticIp"
  | "loadBalancer"
  | "allowHttp"
  | "namespace"
  | "ingressName"
  | "cluster"
  | "google"
>;

/**
 * Returns the static address that the inputs name; undefined when it is not reserved yet, or Google can't be
 * asked.
 *
 * @throws ActionError when the address doesn't exist or the load balancer can't use it
 */
export async function observeAddress(
  settings: AddressSettings,
  access: Access,
  ingress: Ingress | undefined,
): Promise<Address | undefined> {
  const { staticIpName: name, createStaticIp } = settings;
  if (!name) return undefined;
  const project = createStaticIp ? await access.project() : await projectIfAny(settings, access, name);
  if (!project) return undefined;
  const scope = scopeOf(settings);
  const address = await getAddress(scope, name, project);
  if (!address && createStaticIp) return undefined;
  const other: Scope = scope === "global" ? `regions/${regionOf(settings.google.location ?? "")}` : "global";
  const isElsewhere = !address && other !== "regions/" && (await getAddress(other, name, project));
  const found = { address, elsewhere: isElsewhere ? other : undefined };
  const problem = problemOfAddress(name, found, await useOf(settings, access, project, ingress));
  if (problem) throw problem;
  return address;
}

/** A static address to release. */
export interface UnwantedAddress {
  name: string;
  scope: Scope;
  project: GoogleProject;
  /** False when it is released already. */
  isReserved: boolean;
}

/**
 * Returns the static address that a teardown releases; undefined when delete_static_ip is not set.
 *
 * @throws ActionError when something else uses the address, or Google can't be asked
 */
export async function observeUnwantedAddress(
  settings: AddressSettings,
  access: Access,
  ingress: Ingress | undefined,
): Promise<UnwantedAddress | undefined> {
  const { staticIpName: name, deleteStaticIp } = settings;
  if (!name || !deleteStaticIp) return undefined;
  const project = await access.project();
  const scope = scopeOf(settings);
  const address = await getAddress(scope, name, project);
  const found = { address, elsewhere: undefined };
  const problem = address && problemOfAddress(name, found, await useOf(settings, access, project, ingress));
  if (problem) throw problem;
  return { name, scope, project, isReserved: address !== undefined };
}

/** Returns the Ingress that will use an address, and what identifies its load balancer. */
export async function useOf(
  settings: AddressSettings,
  { api }: Access,
  { projectId }: GoogleProject,
  ingress: Ingress | undefined,
): Promise<AddressUse> {
  const { namespace, ingressName, allowHttp } = settings;
  return {
    projectId,
    scope: scopeOf(settings),
    namespace,
    ingress: ingressName,
    allowHttp,
    annotations: ingress?.metadata.annotations,
    clusterUid: ingress && (await api.clusterUid()),
  };
}
