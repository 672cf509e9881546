import * as v from "valibot";
import { parseJson } from "../base/json.ts";
import type { LoadBalancerState } from "./watch.ts";

const HTTPS_RULE = "ingress.kubernetes.io/https-forwarding-rule";
const BACKENDS = "ingress.kubernetes.io/backends";
const NEG_STATUS = "cloud.google.com/neg-status";

/** Health by backend name: HEALTHY, UNHEALTHY or Unknown. */
export type BackendHealth = Record<string, string>;

/** What the annotations of the Ingress and the Service say of the load balancer. */
export interface LoadBalancerHealth {
  /** Whether the HTTPS forwarding rule exists. */
  https: boolean;
  backends: BackendHealth;
  /** Name of the network endpoint group of Milvus's Service, which is also the name of its backend. */
  milvus: string | undefined;
}

/** Reads the load balancer's health from the annotations of its Ingress and Service. */
export function healthOf(state: LoadBalancerState): LoadBalancerHealth {
  const annotations = state.ingress.state === "present" ? state.ingress.object.metadata.annotations : {};
  const backends = parseJson(v.record(v.string(), v.string()), annotations[BACKENDS]) ?? {};
  const service = state.service.state === "present" ? state.service.object.metadata.annotations : {};
  const status = parseJson(
    v.looseObject({ network_endpoint_groups: v.record(v.string(), v.string()) }),
    service[NEG_STATUS],
  );
  const groups = Object.values(status?.network_endpoint_groups ?? {});
  return {
    https: annotations[HTTPS_RULE] !== undefined,
    backends,
    milvus: groups.find((name) => name in backends) ?? groups[0],
  };
}
