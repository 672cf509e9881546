import * as v from "valibot";

export const ManagedZone = v.object({
  name: v.string(),
  /** Fully qualified, e.g. `milvus.io.`. */
  dnsName: v.string(),
  visibility: v.optional(v.picklist(["public", "private"]), "public"),
});
export type ManagedZone = v.InferOutput<typeof ManagedZone>;

export const RecordSet = v.looseObject({
  /** Fully qualified. */
  name: v.string(),
  type: v.string(),
  /** Seconds. */
  ttl: v.optional(v.number(), 0),
  /** Empty if a routing policy answers instead. */
  rrdatas: v.optional(v.array(v.string()), []),
});
/** All records of one name and type. */
export type RecordSet = v.InferOutput<typeof RecordSet>;

export const RecordSets = v.object({ rrsets: v.optional(v.array(RecordSet), []) });
export const Change = v.object({ id: v.string(), status: v.string() });

/** Returns a domain name in lower case with a trailing dot, as zones store it. */
export function qualified(name: string): string {
  return `${name.replace(/\.$/, "").toLowerCase()}.`;
}
