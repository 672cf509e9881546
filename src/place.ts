import type { Access } from "./access.ts";
import { allOf } from "./async.ts";
import type { SslCertificate } from "./gke/compute-resources.ts";
import type { Settings } from "./inputs.ts";
import type { Ingress } from "./kubernetes/objects.ts";
import { observeAddress } from "./place/address.ts";
import { observePreShared, refuseMissingSubnet } from "./place/preflight.ts";
import { observeZone, recordChangeOf, type Zone } from "./place/zone.ts";
import type { ObjectChange } from "./plan.ts";

/** Where the load balancer is to be: what there is of it at Google, outside the cluster. */
export interface Place {
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
 * @param ingress the Ingress as it is
 * @throws ActionError when one of them isn't there or isn't to be had
 */
export async function observePlace(
  settings: Settings,
  access: Access,
  ingress: Ingress | undefined,
): Promise<Place> {
  const [address, zone, sslCertificates] = await allOf([
    observeAddress(settings, access, ingress),
    observeZone(settings, access),
    observePreShared(settings, access),
    refuseMissingSubnet(settings, access),
  ]);
  const recordChange = zone && (await recordChangeOf(settings, zone, address?.address));
  return {
    address: address?.address,
    sslCertificates,
    zone,
    changes: [
      ...(settings.createStaticIp && settings.staticIpName && !address
        ? [{ kind: "static address", name: settings.staticIpName, action: "create" as const }]
        : []),
      ...(recordChange ? [recordChange] : []),
    ],
  };
}
