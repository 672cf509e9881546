import { dump } from "js-yaml";
import type { YamlMap } from "../base/yaml.ts";
import { valueAt } from "../helm/values.ts";
import { networkSettings } from "../milvus/network-settings.ts";
import { mayHoldSecrets } from "./shown-fields.ts";

/**
 * Returns the values that the load balancer needs as YAML, for upgrades that something else
 * makes. A `user.yaml` that may hold a secret is left out, and the text says what it must
 * have: Helm replaces it whole.
 *
 * @param values as {@link loadBalancerValues} makes them
 * @param subchart the name under which an umbrella chart has Milvus's values
 */
export function valuesOverlay(values: YamlMap, release: { name: string }, subchart?: string): string {
  const { extraConfigFiles, ...others } = values;
  const userYaml = valueAt(values, "extraConfigFiles", "user.yaml");
  const text = typeof userYaml === "string" ? userYaml : "";
  const isOpen = !mayHoldSecrets(text);
  const shown = isOpen ? { ...others, extraConfigFiles } : others;
  return [
    `# What release ${release.name} needs behind its load balancer. Give these values to Helm last.`,
    ...(isOpen ? [] : [`# ${withoutUserYaml(text)}`]),
    dump(subchart === undefined ? shown : { [subchart]: shown }, { lineWidth: -1 }),
  ].join("\n");
}

function withoutUserYaml(text: string): string {
  const { httpPort } = networkSettings(text);
  const port = httpPort === "" ? "" : ` and proxy.http.port: ${httpPort}`;
  return `extraConfigFiles."user.yaml" isn't shown, as it may hold secrets. It needs common.security.tlsMode: 1${port}.`;
}
