import type { EventEmitter } from "node:events";

/** One port of a Service. */
export interface ServicePort {
  namespace: string;
  service: string;
  port: number;
}

/** A pod of a network endpoint group. */
export interface Endpoint {
  /** `namespace/name` of the pod. */
  pod: string;
  /** The container's port behind the Service's. */
  port: number;
  /** Where on 127.0.0.1 a container's port is. One that is missing refuses connections. */
  ports: ReadonlyMap<number, number>;
}

/** The network endpoint groups, and word of their changes. */
export interface Endpoints extends EventEmitter<{ change: [] }> {
  /** Returns the ready pods behind a Service's port. */
  of(port: ServicePort): Endpoint[];
}
