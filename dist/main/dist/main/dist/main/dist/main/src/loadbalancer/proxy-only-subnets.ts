import { ActionError } from "../base/errors.ts";

/**
 * Returns the error for a network without a proxy-only subnet in a region, undefined if it has one.
 *
 * @param subnets names of the network's active proxy-only subnets in the region
 */
export function problemOfSubnets(
  subnets: readonly string[],
  region: string,
  network: string,
): ActionError | undefined {
  if (subnets.length > 0) return undefined;
  const name = network.split("/").at(-1) ?? network;
  return new ActionError(
    `The network ${name} has no proxy-only subnet in ${region}, which an internal load balancer needs; nothing was changed.`,
    {
      why: `no subnet of ${network} in ${region} has the purpose REGIONAL_MANAGED_PROXY and the role ACTIVE.`,
      fix: `have a network administrator create one: gcloud compute networks subnets create proxy-only --purpose=REGIONAL_MANAGED_PROXY --role=ACTIVE --region=${region} --network=${name} --range=<a free range, /23 is advised>`,
    },
  );
}
