import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { valueAt } from "../helm/values.ts";
import type { Service } from "../kubernetes/objects.ts";
import type { GrpcPort } from "./grpc-port.ts";
import { DEFAULT_GRPC_PORT, normalizedSetting } from "./setting-names.ts";

const AnyMap = v.custom<YamlMap>(isMap);

/** GKE's controller reads it in place of `cloud.google.com/app-protocols` (kubernetes/ingress-gce, pkg/annotations). */
const OLD_PROTOCOLS = "service.alpha.kubernetes.io/app-protocols";

/**
 * Refuses values with which the chart can't be put behind this load balancer.
 *
 * @param values the chart's defaults with the release's and the user's values over them
 * @param requested only what the user gives to this run
 * @throws ActionError naming the value and what to set instead
 */
export function refuseUnsupportedValues(
  values: YamlMap,
  requested: YamlMap,
  { name: release, chart }: { name: string; chart: string },
): void {
  if (!isMap(valueAt(values, "service"))) {
    throw new ActionError(`Release ${release} is not of Milvus's own chart; nothing was changed.`, {
      why: `its chart ${chart} has no values \`service\`: Milvus may be one of its subcharts, whose values are not where this action sets them.`,
      fix: "give Milvus a release of its own, or set release to one.",
    });
  }
  const custom = valueAt(values, "customConfigMap");
  if (typeof custom === "string" && custom !== "") {
    throw new ActionError(`Release ${release} has customConfigMap: ${custom}; nothing was changed.`, {
      why: "with it the chart ignores extraConfigFiles, so TLS can't be switched on in Milvus through Helm values.",
      fix: `move the settings of ConfigMap ${custom} to extraConfigFiles."user.yaml" and set customConfigMap to "" with the input values.`,
    });
  }
  const ingress = valueAt(values, "ingress", "enabled");
  // The chart's template takes any text for true, "false" too.
  if (ingress) {
    throw new ActionError(
      `Release ${release} has ingress.enabled: ${JSON.stringify(ingress)}; nothing was changed.`,
      {
        why: "the chart then makes an Ingress of its own, with the same name, for another controller.",
        fix: "set ingress.enabled to false with the input values.",
      },
    );
  }
  const userYaml = valueAt(values, "extraConfigFiles", "user.yaml");
  if (userYaml !== undefined && userYaml !== null && typeof userYaml !== "string") {
    throw new ActionError(
      `extraConfigFiles."user.yaml" of release ${release} is not text; nothing was changed.`,
      {
        why: "the chart takes Milvus's settings as the text of a file, and fails on anything else.",
        fix: "write it as a block of text in the input values: `user.yaml: |` with the settings indented below it.",
      },
    );
  }
  refuseEnvironment(values, release);
  const type = valueAt(requested, "service", "type");
  if (type !== undefined && type !== null && type !== "ClusterIP") {
    throw new ActionError(`The input values sets service.type: ${String(type)}; nothing was changed.`, {
      why: "behind the layer-7 load balancer the Service must be ClusterIP, or it keeps a load balancer or ports of its own.",
      fix: "remove service.type from values and values_files.",
    });
  }
}

/**
 * Refuses values that would give Milvus's objects other names: the Service that the load balancer is pointed at would
 * be gone after the upgrade.
 *
 * @throws ActionError naming the value
 */
export function refuseRenaming(before: YamlMap, after: YamlMap, service: string): void {
  for (const key of ["fullnameOverride", "nameOverride"]) {
    const [old, wanted] = [valueAt(before, key) ?? "", valueAt(after, key) ?? ""];
    if (old === wanted) continue;
    throw new ActionError(`The input values sets ${key}: ${JSON.stringify(wanted)}; nothing was changed.`, {
      why: `it would rename Milvus's objects, Service ${service} and the claims of its data among them.`,
      fix: `remove ${key} from values and values_files; to rename Milvus, install a new release and move the data.`,
    });
  }
}

/**
 * Refuses an annotation with which Google's controller would not see what this action says of the gRPC port.
 *
 * @param before the values of the release as it is
 * @param values the same with the user's over them
 * @throws ActionError saying where it is to be removed
 */
export function refuseOldProtocols(service: Service, before: YamlMap, values: YamlMap, port: GrpcPort): void {
  const inValues = valueAt(values, "service", "annotations", OLD_PROTOCOLS);
  // What Helm has set goes with the values.
  const isHelms = valueAt(before, "service", "annotations", OLD_PROTOCOLS) !== undefined;
  const text = inValues ?? (isHelms ? undefined : service.metadata.annotations[OLD_PROTOCOLS]);
  if (text === undefined || parseJson(AnyMap, text)?.[port.name] === "HTTP2") return;
  const { namespace, name } = service.metadata;
  throw new ActionError(
    `Service ${namespace}/${name} has the annotation ${OLD_PROTOCOLS}; nothing was changed.`,
    {
      why: `Google's controller reads it in place of cloud.google.com/app-protocols, and it doesn't say HTTP2 of the port ${port.name}: ${JSON.stringify(text)}.`,
      fix:
        inValues === undefined
          ? `remove it: kubectl annotate service ${name} -n ${namespace} ${OLD_PROTOCOLS}-`
          : `set service.annotations."${OLD_PROTOCOLS}" to null with the input values; what it says of other ports goes into cloud.google.com/app-protocols.`,
    },
  );
}

/**
 * Refuses environment variables that Milvus puts above its files (milvus-io/milvus, pkg/config, EnvSource): with them
 * user.yaml would say in vain what the load balancer needs.
 */
function refuseEnvironment(values: YamlMap, release: string): void {
  const component = valueAt(values, "cluster", "enabled") ? "proxy" : "standalone";
  const variables = valueAt(values, component, "extraEnv");
  for (const variable of Array.isArray(variables) ? variables : []) {
    const { name, value } = isMap(variable) ? variable : {};
    const setting = normalizedSetting([String(name)]).replace(/^milvusconf/, "");
    const isWrong =
      (setting === "commonsecuritytlsmode" && String(value) !== "1") ||
      (setting === "proxyhttpport" && String(value) === DEFAULT_GRPC_PORT);
    if (!isWrong) continue;
    throw new ActionError(
      `Release ${release} sets ${String(name)} in ${component}.extraEnv; nothing was changed.`,
      {
        why: "Milvus takes its settings from environment variables before it takes them from user.yaml, so this one keeps it from speaking to the load balancer.",
        fix: `remove it from ${component}.extraEnv with the input values: extraConfigFiles."user.yaml" is the place for it.`,
      },
    );
  }
}
