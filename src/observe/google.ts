import { allOf } from "../base/async.ts";
import { endsProven, type Settings } from "../inputs/settings.ts";
import { addressWillChange } from "../loadbalancer/address.ts";
import type { Access } from "./access.ts";
import { observeAddress } from "./address.ts";
import { observePreShared, refuseMissingSubnet } from "./certificates.ts";
import { observeClientPolicy } from "./client-policy.ts";
import { observeOwnRecord, observeZone, recordChangeOf } from "./dns-zone.ts";
import type { ClusterState, GoogleState } from "./observed.ts";
import { refuseMissingSslPolicy } from "./ssl-policy.ts";

/**
 * Reads what the inputs name at Google: the static address, the DNS zone, certificates, the clients' policy.
 *
 * @throws ActionError when one of them doesn't exist or can't be used
 */
export async function observeGoogle(
  settings: Settings,
  access: Access,
  {
    ingress,
    ingressAddress,
    formerHosts,
    objects,
  }: Pick<ClusterState, "ingress" | "ingressAddress" | "formerHosts" | "objects">,
): Promise<GoogleState> {
  const [address, zone, sslCertificates, clientPolicy] = await allOf([
    observeAddress(settings, access, ingress),
    observeZone(settings, access),
    observePreShared(settings, access),
    observeClientPolicy(settings, access, objects),
    refuseMissingSubnet(settings, access),
    refuseMissingSslPolicy(settings, access),
  ]);
  const stays = ingress && settings.staticIpName === undefined && !addressWillChange(ingress, settings);
  const target = stays ? ingressAddress : address?.address;
  // Only a run that proves the load balancer can tell that the records of former hosts are not needed any
  // more.
  const former = zone && endsProven(settings) ? formerHosts : [];
  const [recordChange, ...ownRecords] = await allOf([
    zone && recordChangeOf(settings, zone, target),
    ...former.map((host) => zone && observeOwnRecord(host, zone, ingressAddress)),
  ]);
  return {
    reservedAddress: address?.address,
    sslCertificates,
    zone,
    recordChange,
    clientPolicy,
    formerRecords: former.filter((_, index) => ownRecords[index]?.isDeletable),
  };
}
