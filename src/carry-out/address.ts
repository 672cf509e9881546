import { info } from "../base/log.ts";
import { reserveAddress } from "../gke/compute.ts";
import { problemOfAddress } from "../gke/static-address.ts";
import type { Settings } from "../inputs/settings.ts";
import type { Access } from "../observe/access.ts";
import { useOf } from "../observe/address.ts";
import { scopeOf } from "../observe/scope.ts";
import { changingAtomically } from "../report/run-report.ts";
import type { Session } from "../report/session.ts";

/**
 * Reserves the static address if that is asked for and still to be done, and returns it.
 *
 * @param observed the address as {@link observeAddress} found it
 * @throws ActionError when it is refused, or another load balancer has taken it meanwhile
 */
export async function reserveStaticAddress(
  settings: Settings,
  { report }: Session,
  access: Access,
  observed: string | undefined,
): Promise<string | undefined> {
  const { staticIpName: name, createStaticIp, namespace, ingressName } = settings;
  if (observed !== undefined || !name || !createStaticIp) return observed;
  const description = `Milvus's load balancer, Ingress ${namespace}/${ingressName}`;
  const details = { description, subnetwork: access.cluster?.subnetwork };
  const project = await access.project();
  const address = await changingAtomically(
    report,
    () => reserveAddress(scopeOf(settings), name, details, project),
    () => true,
  );
  // Another run may have been faster, and for another load balancer.
  const problem = problemOfAddress(
    name,
    { address, elsewhere: undefined },
    await useOf(settings, access, project, undefined),
  );
  if (problem) throw problem;
  info(`The static address ${name} is reserved: ${address.address}.`);
  return address.address;
}
