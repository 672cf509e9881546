import * as v from "valibot";

/**
 * An object that Helm makes at some event of a release, and deletes before it
 * makes the next one or after that.
 */
export const Hook = v.looseObject({
  manifest: v.optional(v.string(), ""),
  /** e.g. `pre-upgrade` */
  events: v.nullish(v.array(v.string()), () => []),
});
export type Hook = v.InferOutput<typeof Hook>;
