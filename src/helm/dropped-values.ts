import type { YamlMap } from "../base/yaml.ts";
import { wasDeployed } from "./history.ts";
import type { StoredRelease } from "./stored-release.ts";

/** An upgrade that dropped what an earlier one had set. */
export interface DroppedValues {
  /** The newest revision that had the values. */
  last: number;
  /** The first deployed one after it. */
  dropped: number;
}

/**
 * Returns the upgrade that dropped values; undefined when the newest deployed
 * revision has them, or none ever had.
 *
 * @param history the revisions of a release, the oldest first
 * @param has tells whether a revision's values are among its own
 */
export function droppedValues(
  history: readonly StoredRelease[],
  has: (values: YamlMap) => boolean,
): DroppedValues | undefined {
  const deployed = history.filter(wasDeployed);
  const index = deployed.findLastIndex(({ values }) => has(values));
  const [last, next] = [deployed[index], deployed[index + 1]];
  return last && next && { last: last.revision, dropped: next.revision };
}

/** Returns what a run that sets the values again says of that. */
export function describeDropped({ name }: { name: string }, { last, dropped }: DroppedValues): string {
  return `Revision ${dropped} of release ${name} has dropped what this action had set in revision ${last}, as an upgrade from elsewhere without these values does. This run sets them again. That upgrade must carry the output values_overlay (helm upgrade --values FILE), else it undoes this one again.`;
}
