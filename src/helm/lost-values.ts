import { loadAll, YAMLException } from "js-yaml";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { lastDeployed, wasDeployed } from "./history.ts";
import type { StoredRelease } from "./stored-release.ts";
import { diffValues, joinValues } from "./values.ts";

/** A value that a user gave a release and that the release no longer has. The value may be a secret. */
export interface LostValue {
  /** As in {@link diffValues}; of a map that is gone as a whole only the map. */
  path: string;
  /** The newest revision that had it. */
  revision: number;
}

/**
 * Returns the values that former revisions had and `current` does not have; the last lost value comes first.
 * The text of a YAML file (`extraConfigFiles."user.yaml"`) is compared as the map in it. A changed value is
 * not lost, nor is one that became null.
 *
 * @param history former revisions, in any order
 */
export function lostValues(
  current: YamlMap,
  history: readonly { revision: number; values: YamlMap }[],
): LostValue[] {
  const lost: LostValue[] = [];
  let known = opened(current);
  for (const { revision, values } of history.toSorted((one, other) => other.revision - one.revision)) {
    const former = opened(values);
    for (const { path, before, after } of diffValues(former, known)) {
      const isEmpty = isMap(before) && Object.keys(before).length === 0;
      if (after === undefined && !isEmpty) lost.push({ path, revision });
    }
    known = joinValues(former, known);
  }
  return lost;
}

function opened(values: YamlMap): YamlMap {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => {
      if (isMap(value)) return [key, opened(value)];
      return [key, typeof value === "string" && /\.ya?ml$/.test(key) ? settingsIn(value) : value];
    }),
  );
}

/** Returns the map in a YAML text; the text itself if it holds no map. */
function settingsIn(text: string): unknown {
  try {
    const [content = {}, ...others] = loadAll(text);
    return others.length === 0 ? (content ?? {}) : text;
  } catch (error) {
    if (error instanceof YAMLException) return text;
    throw error;
  }
}

/**
 * Returns the values of revisions before the deployed one that the release will not have.
 *
 * @param history all revisions of the release, the oldest first
 * @param wanted the values after this run. A value that a user removes with null is not lost
 */
export function lostValuesIn(history: readonly StoredRelease[], wanted: YamlMap): LostValue[] {
  const deployed = lastDeployed(history);
  return lostValues(
    wanted,
    history.filter((revision) => revision !== deployed && wasDeployed(revision)),
  );
}

/** Returns the warning about lost values: which revision had which, and the commands that show them. */
export function describeLostValues(
  { name, namespace }: { name: string; namespace: string },
  lost: readonly LostValue[],
): string {
  const byRevision = [...Map.groupBy(lost, ({ revision }) => revision)];
  return [
    `Former revisions of release ${name} in namespace ${namespace} had values that it has no more:`,
    ...byRevision.map(
      ([revision, values]) =>
        `- revision ${revision}: ${values.map(({ path }) => path).join(", ")} (\`helm get values ${name} -n ${namespace} --revision ${revision}\`)`,
    ),
    "Those that were not removed on purpose can be given back with the input values.",
  ].join("\n");
}
