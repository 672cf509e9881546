import { allOf } from "../base/async.ts";
import type { SslCertificate } from "../gke/compute-resources.ts";
import { endsProven, type Settings } from "../inputs/settings.ts";
import { addressOf, willMove } from "../loadbalancer/waits.ts";
import type { ObjectChange } from "../plan/plan.ts";
import type { Access } from "./access.ts";
import { observeAddress } from "./address.ts";
import { observePreShared, refuseMissingSubnet } from "./certificates.ts";
import type { Observed } from "./cluster.ts";
import { hasOwnRecord, observeZone, recordChangeOf, type Zone } from "./dns-zone.ts";

/** Where the load balancer is to be: what there is of it at Google, outside the cluster. */
export interface GoogleState {
  /** The reserved address; undefined while it isn't reserved, or when the load balancer gets any. */
  address: string | undefined;
  /** The certificates at Google that are to be presented; undefined when they can't be looked up. */
  sslCertificates: SslCertificate[] | undefined;
  zone: Zone | undefined;
  /** What a run changes of it. */
  changes: ObjectChange[];
}

/**
 * Looks at the static address, the DNS zone and the certificates at Google that the inputs name.
 *
 * @throws ActionError when one of them isn't there or isn't to be had
 */
export async function observeGoogle(
  settings: Settings,
  access: Access,
  { ingress, formerHosts }: Pick<Observed, "ingress" | "formerHosts">,
): Promise<GoogleState> {
  const [address, zone, sslCertificates] = await allOf([
    observeAddress(settings, access, ingress),
    observeZone(settings, access),
    observePreShared(settings, access),
    refuseMissingSubnet(settings, access),
  ]);
  const stays = ingress && settings.staticIpName === undefined && !willMove(ingress, settings);
  const whither = stays ? addressOf(ingress) : address?.address;
  const recordChange = zone && (await recordChangeOf(settings, zone, whither));
  // Only a run that sees the load balancer work can tell that nothing needs them.
  const former = zone && endsProven(settings) ? formerHosts : [];
  const formerRecords = await allOf(
    former.map(async (host) => {
      const isThere = zone && (await hasOwnRecord(host, zone, ingress && addressOf(ingress)));
      return isThere ? [{ kind: "DNS record", name: host, action: "delete" as const }] : [];
    }),
  );
  return {
    address: address?.address,
    sslCertificates,
    zone,
    changes: [
      ...(settings.createStaticIp && settings.staticIpName && !address
        ? [{ kind: "static address", name: settings.staticIpName, action: "create" as const }]
        : []),
      ...(recordChange ? [recordChange] : []),
      ...formerRecords.flat(),
    ],
  };
}
