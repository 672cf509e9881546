import { isDeepStrictEqual } from "node:util";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { valueAt } from "./values.ts";

/**
 * Returns what has to be laid over a chart's defaults to get those that a release was made with. They differ although
 * chart and version are the same when the release was once upgraded with --reuse-values: Helm then keeps the old chart's
 * defaults under the new chart's name (helm pkg/action/upgrade.go, reuseValues). A default that the release was made
 * without becomes null.
 *
 * @param former the defaults in the release's Secret
 * @param current those that Helm would store there now
 */
export function formerDefaults(former: YamlMap, current: YamlMap): YamlMap {
  const keys = new Set([...Object.keys(former), ...Object.keys(current)]);
  return Object.fromEntries(
    [...keys].flatMap((key) => {
      const [old, now] = [valueAt(former, key) ?? undefined, valueAt(current, key) ?? undefined];
      if (isDeepStrictEqual(old, now)) return [];
      if (!isMap(old) || !isMap(now)) return [[key, old ?? null]];
      const below = formerDefaults(old, now);
      return Object.keys(below).length > 0 ? [[key, below]] : [];
    }),
  );
}
