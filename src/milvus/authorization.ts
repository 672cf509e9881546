import { parseDocument } from "yaml";
import type { YamlMap } from "../base/yaml.ts";
import { variablesOf } from "./environment.ts";
import { AUTHORIZATION } from "./setting-names.ts";
import { isTrueAt, isTrueText } from "./user-yaml-document.ts";
import { userYamlIn } from "./values.ts";

/**
 * Returns why Milvus asks clients for no token; undefined when it asks for one. An environment variable wins
 * over `user.yaml`. A variable whose value isn't known counts as false, and so does a text that doesn't parse.
 *
 * @param values the chart's defaults, overridden by the release's and the user's values
 */
export function whyAnonymous(values: YamlMap): string | undefined {
  const setting = AUTHORIZATION.join(".");
  const variables = variablesOf(values, AUTHORIZATION);
  const wrong = variables.find(({ value }) => value === undefined || !isTrueText(value));
  if (wrong) {
    const { name, component, value = "from something else than the values" } = wrong;
    return `${name} in ${component}.extraEnv is ${value}, and it wins over ${setting} in user.yaml`;
  }
  const document = parseDocument(userYamlIn(values) ?? "", { schema: "failsafe" });
  const isOn = variables.length > 0 || isTrueAt(document, AUTHORIZATION);
  return isOn ? undefined : `${setting} is not true in user.yaml`;
}
