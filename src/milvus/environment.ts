import { isMap, type YamlMap } from "../base/yaml.ts";
import { valueAt } from "../helm/values.ts";
import { normalizedSetting } from "./setting-names.ts";

/** An environment variable of Milvus's containers. It wins over `user.yaml`. */
export interface Variable {
  name: string;
  /** Undefined when it comes from elsewhere than the values, such as a Secret. */
  value: string | undefined;
  /** The component whose `extraEnv` has it. */
  component: string;
}

/**
 * Returns the environment variables that set a setting of the Milvus behind the Service (milvus-io/milvus,
 * pkg/config, EnvSource). There may be several, in different spellings.
 *
 * @param values the chart's defaults, overridden by the release's and the user's values
 */
export function variablesOf(values: YamlMap, setting: readonly string[]): Variable[] {
  const component = valueAt(values, "cluster", "enabled") ? "proxy" : "standalone";
  const variables = valueAt(values, component, "extraEnv");
  return (Array.isArray(variables) ? variables : [])
    .map((variable) => (isMap(variable) ? variable : {}))
    .filter(({ name }) => settingOf(String(name)) === normalizedSetting(setting))
    .map(({ name, value }) => ({
      name: String(name),
      value: value === undefined ? undefined : String(value),
      component,
    }));
}

/** Returns the setting that a variable sets, as {@link normalizedSetting} names it. */
function settingOf(name: string): string {
  return normalizedSetting([name]).replace(/^milvusconf/, "");
}
