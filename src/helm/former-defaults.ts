import { isDeepStrictEqual } from "node:util";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { valueAt } from "./values.ts";

/**
 * Returns the values that restore the defaults with which a release was made. They differ from those of the
 * same chart and version after `helm upgrade --reuse-values`: Helm then stores the old chart's defaults under
 * the new chart's name (helm pkg/action/upgrade.go, reuseValues). A default that the release does not have
 * becomes null. A map stays one: Helm refuses null for the values of a subchart (helm
 * pkg/chart/common/util/coalesce.go, coalesceDeps).
 *
 * @param former the defaults in the release's Secret
 * @param current the defaults that Helm would store now
 */
export function formerDefaults(former: YamlMap, current: YamlMap): YamlMap {
  const keys = new Set([...Object.keys(former), ...Object.keys(current)]);
  return Object.fromEntries(
    [...keys].flatMap((key) => {
      const [old, now] = [valueAt(former, key) ?? undefined, valueAt(current, key) ?? undefined];
      if (isDeepStrictEqual(old, now)) return [];
      if (!isMap(now) || !isMap(old ?? {})) return [[key, old ?? null]];
      const below = formerDefaults(isMap(old) ? old : {}, now);
      return Object.keys(below).length > 0 ? [[key, below]] : [];
    }),
  );
}
