/** The parts of the way from a client to Milvus, in its order. */
export const HOPS = ["address", "certificate", "backends", "pods"] as const;
export type Hop = (typeof HOPS)[number];
