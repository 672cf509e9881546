import { isMap, type YamlMap } from "../base/yaml.ts";
import { valueAt } from "../helm/values.ts";
import { isOf, type KubernetesObject } from "../kubernetes/objects.ts";

/**
 * Returns the Cloud Armor policy that a live BackendConfig names: empty after one was removed,
 * undefined if there never was one.
 */
export function attachedPolicy(
  objects: readonly KubernetesObject[],
  backendConfig: string,
): string | undefined {
  const name = valueAt(specOf(objects, backendConfig), "securityPolicy", "name");
  return typeof name === "string" ? name : undefined;
}

/** Tells whether Google asks clients who they are, or admits only some. */
export function isGuarded(spec: YamlMap): boolean {
  return Boolean(valueAt(spec, "securityPolicy", "name")) || valueAt(spec, "iap", "enabled") === true;
}

/** Tells whether {@link isGuarded} is true of the live load balancer. */
export function isGuardedNow(objects: readonly KubernetesObject[], backendConfig: string): boolean {
  return isGuarded(specOf(objects, backendConfig));
}

function specOf(objects: readonly KubernetesObject[], backendConfig: string): YamlMap {
  const object = objects.find(isOf({ kind: "BackendConfig", metadata: { name: backendConfig } }));
  return isMap(object?.spec) ? object.spec : {};
}
