import { allOf } from "../base/async.ts";
import { endsProven, type Settings } from "../inputs/settings.ts";
import { addressWillChange } from "../loadbalancer/address.ts";
import type { Access } from "./access.ts";
import { observeAddress } from "./address.ts";
import { observePreShared, refuseMissingSubnet } from "./certificates.ts";
import { hasOwnRecord, observeZone, recordChangeOf } from "./dns-zone.ts";
import type { ClusterState, GoogleState } from "./observed.ts";

/**
 * Reads the static address, the DNS zone and the certificates at Google that the inputs name.
 *
 * @throws ActionError when one of them doesn't exist or can't be used
 */
export async function observeGoogle(
  settings: Settings,
  access: Access,
  { ingress, ingressAddress, formerHosts }: Pick<ClusterState, "ingress" | "ingressAddress" | "formerHosts">,
): Promise<GoogleState> {
  const [address, zone, sslCertificates] = await allOf([
    observeAddress(settings, access, ingress),
    observeZone(settings, access),
    observePreShared(settings, access),
    refuseMissingSubnet(settings, access),
  ]);
  const stays = ingress && settings.staticIpName === undefined && !addressWillChange(ingress, settings);
  const target = stays ? ingressAddress : address?.address;
  // Only a run that proves the load balancer can tell that the records of former hosts are not needed any
  // more.
  const former = zone && endsProven(settings) ? formerHosts : [];
  const [recordChange, ...ownRecords] = await allOf([
    zone && recordChangeOf(settings, zone, target),
    ...former.map((host) => zone && hasOwnRecord(host, zone, ingressAddress)),
  ]);
  return {
    reservedAddress: address?.address,
    sslCertificates,
    zone,
    recordChange,
    formerRecords: former.filter((_, index) => ownRecords[index]),
  };
}
