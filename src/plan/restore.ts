import { isMap, type YamlMap } from "../base/yaml.ts";
import { diffValues, joinValues, valueAt } from "../helm/values.ts";
import { withoutTls } from "../milvus/user-yaml.ts";
import { hasLoadBalancerValues, SERVICE_ANNOTATIONS } from "../milvus/values.ts";
import type { UpgradePlan } from "./release.ts";

/** A release's own values in an earlier revision. */
export interface FormerValues {
  revision: number;
  values: YamlMap;
}

const USER_YAML = ["extraConfigFiles", "user.yaml"];

/**
 * Returns the newest revision without this action's values; undefined when Helm's history, which keeps ten
 * revisions, no longer has it.
 */
export function revisionBefore(history: readonly FormerValues[]): FormerValues | undefined {
  return history.findLast(({ values }) => !hasLoadBalancerValues(values));
}

/**
 * Plans the upgrade that reverts what this action changed in a release's values. Everything else that was set
 * since stays. Undefined when the values have nothing of this action's.
 *
 * @param former the values before; without them, a layer-4 load balancer and Milvus without TLS are restored
 * @param attempted the values of a failed upgrade, which may have changed objects but are not the release's
 */
export function planRestore(
  values: YamlMap,
  former: FormerValues | undefined,
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

/**
 * Plans the upgrade that only makes the layer-4 load balancer: all else stays as the layer-7 one needs it.
 *
 * @param reason why, for the log
 */
export function planLayer4(values: YamlMap, reason: string): UpgradePlan {
  const wanted = joinValues(values, { service: { type: "LoadBalancer" } });
  return {
    values: { kind: "instead", values: wanted },
    changes: diffValues(values, wanted),
    reasons: [reason],
  };
}

function withoutOurs(values: YamlMap, before: YamlMap): YamlMap {
  const paths = [["service", "type"], ...SERVICE_ANNOTATIONS.map((name) => ["service", "annotations", name])];
  const [text, textBefore] = [values, before].map((tree) => valueAt(tree, ...USER_YAML));
  return [
    ...paths.map((path) => ({ path, value: valueAt(before, ...path) })),
    // A value that isn't a text any more was set by somebody else since.
    ...(typeof text === "string"
      ? [{ path: USER_YAML, value: withoutTls(text, textBefore) ?? textBefore }]
      : []),
  ].reduce((tree, { path, value }) => withValueAt(tree, path, value, before), values);
}

/** Sets or removes the value at `path`. Maps that become empty get their value in `before`. */
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
