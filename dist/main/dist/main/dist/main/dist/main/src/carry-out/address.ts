import { info } from "../base/log.ts";
import { reserveAddress } from "../gke/compute.ts";
import { problemOfAddress } from "../gke/static-address.ts";
import type { Access } from "../observe/access.ts";
import { type AddressSettings, useOf } from "../observe/address.ts";
import { scopeOf } from "../observe/scope.ts";
import { changingAtomically, objectChangeKey, recording } from "../report/run-report.ts";
import type { Session } from "../report/session.ts";

/**
 * Reserves the static address if create_static_ip is set and it isn't reserved yet.
 *
 * @param observed the address as {@link observeAddress} found it
 * @throws ActionError when Google refuses, or another load balancer took the address meanwhile
 */
export async function reserveStaticAddress(
  settings: AddressSettings,
  { report }: Session,
  access: Access,
  observed: string | undefined,
): Promise<string | undefined> {
  const { staticIpName: name, createStaticIp, namespace, ingressName } = settings;
  if (observed !== undefined || !name || !createStaticIp) return observed;
  const description = `Milvus's load balancer, Ingress ${namespace}/${ingressName}`;
  const details = { description, subnetwork: access.cluster?.subnetwork };
  const project = await access.project();
  const change = objectChangeKey({ kind: "static address", name });
  const address = await recording(report, change, () =>
    changingAtomically(
      report,
      () => reserveAddress(scopeOf(settings), name, details, project),
      () => true,
    ),
  );
  // Another run may have reserved it first, for another load balancer.
  const problem = problemOfAddress(
    name,
    { address, elsewhere: undefined },
    await useOf(settings, access, project, undefined),
  );
  if (problem) throw problem;
  info(`The static address ${name} is reserved: ${address.address}.`);
  return address.address;
}
