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
  /** The container's port. */
  port: number;
  /** Maps container ports to ports of 127.0.0.1. A missing port refuses connections. */
  ports: ReadonlyMap<number, number>;
}

/** The network endpoint groups. */
export interface Endpoints extends EventEmitter<{ change: [] }> {
  /** The ready pods behind a Service's port. */
  of(port: ServicePortReference): Endpoint[];
}
