import type { Settings } from "../inputs/settings.ts";
import type { Ingress } from "../kubernetes/objects.ts";
import { isOf } from "../kubernetes/objects.ts";
import { NOTHING_KEPT } from "../loadbalancer/kept.ts";
import { STATIC_ADDRESS } from "../loadbalancer/manifests.ts";
import type { Observed } from "../observe/observed.ts";
import type { RenderedPlan } from "./rendered.ts";

/**
 * Returns the Ingress of this action's name that goes before this action makes its own: the chart's, which
 * the upgrade deletes, or one that is being deleted already. Undefined when there is none.
 */
export function leavingIngress(
  { ingress }: Pick<Observed, "ingress">,
  rendered: Pick<RenderedPlan, "deletes"> | undefined,
): Ingress | undefined {
  if (!ingress) return undefined;
  const { name, deletionTimestamp } = ingress.metadata;
  const isDeleted = (rendered?.deletes ?? []).some((each) => each.kind === "Ingress" && each.name === name);
  return isDeleted || deletionTimestamp !== undefined ? ingress : undefined;
}

/** Returns what will be there once the Ingress is gone. */
export function withoutIngress(observed: Observed, { metadata }: Pick<Ingress, "metadata">): Observed {
  const isIngress = isOf({ kind: "Ingress", metadata });
  return {
    ...observed,
    objects: observed.objects.filter((object) => !isIngress(object)),
    ingress: undefined,
    ingressAddress: undefined,
    formerHosts: [],
    kept: { ...observed.kept, ingress: NOTHING_KEPT.ingress },
  };
}

/** Returns what clients notice, because the Ingress goes before the new one is made. */
export function describeLeaving(
  { staticIpName }: Pick<Settings, "staticIpName">,
  { metadata }: Ingress,
  address: string | undefined,
): string {
  const reserved = Object.values(STATIC_ADDRESS)
    .map((name) => metadata.annotations[name])
    .find(Boolean);
  const where = address === undefined ? "" : ` at ${address}`;
  const next =
    staticIpName !== undefined
      ? `The new one gets the reserved address ${staticIpName}.`
      : reserved !== undefined
        ? `The new one gets another address; static_ip_name: ${reserved} keeps the reserved one.`
        : "The new one may get another address: only a reserved one (static_ip_name) stays.";
  return `Ingress ${metadata.name} of the chart goes, and its load balancer${where} with it: clients reach nothing there from the Helm upgrade until the new load balancer works. ${next}`;
}
