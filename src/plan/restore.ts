import { isMap, type YamlMap } from "../base/yaml.ts";
import { diffValues, valueAt } from "../helm/values.ts";
import { withoutTls } from "../milvus/user-yaml.ts";
import { hasLoadBalancerValues, SERVICE_ANNOTATIONS } from "../milvus/values.ts";
import type { UpgradePlan } from "./release.ts";

/** A release's own values at an earlier revision. */
export interface Former {
  revision: number;
  values: YamlMap;
}

const USER_YAML = ["extraConfigFiles", "user.yaml"];

/**
 * Returns the newest revision from before this action set its values; undefined when Helm's history no longer has it
 * (it keeps ten revisions).
 */
export function revisionBefore(history: readonly Former[]): Former | undefined {
  return history.findLast(({ values }) => !hasLoadBalancerValues(values));
}

/**
 * Returns the upgrade that gives a release back what this action has changed of its values: everything else that was
 * set since stays. Undefined when there is nothing of this action's in them.
 *
 * @param former what the values were before; without it a layer-4 load balancer and Milvus without TLS are restored
 * @param attempted the values of a failed upgrade, which may have changed objects though the release doesn't have them
 */
export function planRestore(
  values: YamlMap,
  former: Former | undefined,
  attempted: YamlMap = values,
): UpgradePlan | undefined {
  if (!hasLoadBalancerValues(values) && !hasLoadBalancerValues(attempted)) return undefined;
  const before: YamlMap = former?.values ?? { service: { type: "LoadBalancer" } };
  const restored = hasLoadBalancerValues(values) ? withoutOurs(values, before) : values;
  const changes = diffValues(attempted, restored);
  const from = former ? `as it was in revision ${former.revision}` : "as without this action";
  return {
    values: { kind: "instead", values: restored },
    changes,
    reasons: changes.map(({ path }) => `value ${path} becomes ${from}`),
  };
}

function withoutOurs(values: YamlMap, before: YamlMap): YamlMap {
  const paths = [["service", "type"], ...SERVICE_ANNOTATIONS.map((name) => ["service", "annotations", name])];
  const [text, textBefore] = [values, before].map((tree) => valueAt(tree, ...USER_YAML));
  return [
    ...paths.map((path) => ({ path, value: valueAt(before, ...path) })),
    // What is no text by now has been set since.
    ...(typeof text === "string"
      ? [{ path: USER_YAML, value: withoutTls(text, textBefore) ?? textBefore }]
      : []),
  ].reduce((tree, { path, value }) => withValueAt(tree, path, value, before), values);
}

/** Sets the value at `path`, or removes it; maps that are empty then become what they were in `before`. */
function withValueAt(tree: YamlMap, path: readonly string[], value: unknown, before: unknown): YamlMap {
  const [key = "", ...rest] = path;
  const { [key]: below, ...others } = tree;
  if (rest.length > 0 && value === undefined && !isMap(below)) return tree;
  const former = isMap(before) ? before[key] : undefined;
  const next = rest.length === 0 ? value : withValueAt(isMap(below) ? below : {}, rest, value, former);
  const isLeftEmpty = rest.length > 0 && isMap(next) && Object.keys(next).length === 0;
  const wanted = isLeftEmpty && !isMap(former) ? former : next;
  return wanted === undefined ? others : { ...tree, [key]: wanted };
}
