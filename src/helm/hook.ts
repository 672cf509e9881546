import * as v from "valibot";

/**
 * An object that Helm makes at an event of a release, such as an upgrade. Helm deletes it afterwards, or
 * before it makes it again.
 */
export const Hook = v.looseObject({
  manifest: v.optional(v.string(), ""),
  /** e.g. `pre-upgrade` */
  events: v.nullish(v.array(v.string()), () => []),
});
export type Hook = v.InferOutput<typeof Hook>;
