import type { EventEmitter } from "node:events";

/** Identifies one port of a Service. */
export interface ServicePortReference {
  namespace: string;
  service: string;
  port: number;
}

/** A pod of a network endpoint group. */
export interface Endpoint {
  /** `namespace/name` of the pod. */
  pod: string;
  /** The pod's own address, which Google's health checks and its API know it by. */
  ipAddress: string;
  /** Name of the pod's node. */
  node: string;
  /** The container's port. */
  port: number;
  /** Maps container ports to ports of 127.0.0.1. A missing port refuses connections. */
  ports: ReadonlyMap<number, number>;
  /** Whether its containers are ready and its readiness gates open. */
  isReady: boolean;
}

/** The network endpoint groups. */
export interface Endpoints extends EventEmitter<{ change: [] }> {
  /** The pods behind a Service's port, ready or not, as GKE attaches them to a network endpoint group. */
  of(port: ServicePortReference): Endpoint[];
}
