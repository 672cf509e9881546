import type { Service } from "../kubernetes/objects.ts";

/** Annotations of a Service with an internal layer-4 load balancer (cloud.google.com/kubernetes-engine). */
const LOAD_BALANCER_TYPES = ["networking.gke.io/load-balancer-type", "cloud.google.com/load-balancer-type"];
const EVERYBODY = ["0.0.0.0/0", "::/0"];

/** Who reaches Milvus through the Service's layer-4 load balancer. */
export interface Layer4 {
  /** Empty while it has none. */
  addresses: string[];
  isInternal: boolean;
  /** The only ranges that it admits; undefined if it admits everybody. */
  ranges: string[] | undefined;
}

/** Returns the Service's layer-4 load balancer, undefined if it has none. */
export function layer4Of({ metadata, spec, status }: Service): Layer4 | undefined {
  if (spec.type !== "LoadBalancer") return undefined;
  const ranges = spec.loadBalancerSourceRanges;
  const isRestricted = ranges.length > 0 && !ranges.some((range) => EVERYBODY.includes(range));
  return {
    addresses: status.loadBalancer.ingress.flatMap(({ ip, hostname }) => ip ?? hostname ?? []),
    isInternal: LOAD_BALANCER_TYPES.some((name) => metadata.annotations[name]?.toLowerCase() === "internal"),
    ranges: isRestricted ? ranges : undefined,
  };
}
