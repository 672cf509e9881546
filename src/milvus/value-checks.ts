import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { valueAt } from "../helm/values.ts";
import type { Service } from "../kubernetes/objects.ts";
import { variablesOf } from "./environment.ts";
import type { GrpcPort } from "./grpc-port.ts";
import { DEFAULT_GRPC_PORT, HTTP_PORT, TLS_MODE } from "./setting-names.ts";

const AnyMap = v.custom<YamlMap>(isMap);

/**
 * GKE's controller reads it in place of `cloud.google.com/app-protocols` (kubernetes/ingress-gce,
 * pkg/annotations).
 */
const OLD_PROTOCOLS = "service.alpha.kubernetes.io/app-protocols";

/**
 * Refuses values with which the chart can't work behind this load balancer.
 *
 * @param values the chart's defaults, overridden by the release's and the user's values
 * @param requested only the values of this run's inputs
 * @throws ActionError naming the value and what to set instead
 */
export function refuseUnsupportedValues(
  values: YamlMap,
  requested: YamlMap,
  { name: release, chart }: { name: string; chart: string },
): void {
  if (!isMap(valueAt(values, "service"))) {
    throw new ActionError(`Release ${release} does not use Milvus's own chart; nothing was changed.`, {
      why: `its chart ${chart} has no values \`service\`. If Milvus is one of its subcharts, its values are elsewhere.`,
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
  // In the chart's template any text is true, even "false".
  if (ingress) {
    throw new ActionError(
      `Release ${release} has ingress.enabled: ${JSON.stringify(ingress)}; nothing was changed.`,
      {
        why: "the chart then creates its own Ingress, with the same name, for another controller.",
        fix: "set ingress.enabled to false with the input values.",
      },
    );
  }
  const userYaml = valueAt(values, "extraConfigFiles", "user.yaml");
  if (userYaml !== undefined && userYaml !== null && typeof userYaml !== "string") {
    throw new ActionError(
      `extraConfigFiles."user.yaml" of release ${release} is not text; nothing was changed.`,
      {
        why: "the chart expects the text of a file, and fails on anything else.",
        fix: "write it as a block of text in the input values: `user.yaml: |` with the settings indented below it.",
      },
    );
  }
  refuseEnvironment(values, release);
  const type = valueAt(requested, "service", "type");
  // Pipelines give the release's first values file at every run, and it may ask for a layer-4 load balancer.
  const isUsual = type === "ClusterIP" || type === "LoadBalancer";
  if (type !== undefined && type !== null && !isUsual) {
    throw new ActionError(`The inputs set service.type: ${String(type)}; nothing was changed.`, {
      why: "behind the layer-7 load balancer the Service must be ClusterIP. Any other type keeps its own load balancer or node ports.",
      fix: "remove service.type from values and values_files.",
    });
  }
}

/**
 * Refuses values that would rename Milvus's objects: the upgrade would delete the Service behind the load
 * balancer.
 *
 * @throws ActionError naming the value
 */
export function refuseRenaming(before: YamlMap, after: YamlMap, service: string): void {
  for (const key of ["fullnameOverride", "nameOverride"]) {
    const [old, wanted] = [valueAt(before, key) ?? "", valueAt(after, key) ?? ""];
    if (old === wanted) continue;
    throw new ActionError(`The inputs set ${key}: ${JSON.stringify(wanted)}; nothing was changed.`, {
      why: `it would rename Milvus's objects, with Service ${service} and the PersistentVolumeClaims of its data.`,
      fix: `remove ${key} from values and values_files; to rename Milvus, install a new release and move the data.`,
    });
  }
}

/**
 * Refuses an old annotation that hides this action's protocol for the gRPC port from GKE's controller.
 *
 * @param before the release's values
 * @param values the same, overridden by the user's
 * @throws ActionError with how to remove it
 */
export function refuseOldProtocols(service: Service, before: YamlMap, values: YamlMap, port: GrpcPort): void {
  const inValues = valueAt(values, "service", "annotations", OLD_PROTOCOLS);
  // The upgrade removes what Helm set and the values no longer have.
  const isHelms = valueAt(before, "service", "annotations", OLD_PROTOCOLS) !== undefined;
  const text = inValues ?? (isHelms ? undefined : service.metadata.annotations[OLD_PROTOCOLS]);
  if (text === undefined || parseJson(AnyMap, text)?.[port.name] === "HTTP2") return;
  const { namespace, name } = service.metadata;
  throw new ActionError(
    `Service ${namespace}/${name} has the annotation ${OLD_PROTOCOLS}; nothing was changed.`,
    {
      why: `GKE's controller reads it in place of cloud.google.com/app-protocols, and it doesn't set HTTP2 for the port ${port.name}: ${JSON.stringify(text)}.`,
      fix:
        inValues === undefined
          ? `remove it: kubectl annotate service ${name} -n ${namespace} ${OLD_PROTOCOLS}-`
          : `set service.annotations."${OLD_PROTOCOLS}" to null with the input values, and move its other ports to cloud.google.com/app-protocols.`,
    },
  );
}

/** Refuses environment variables that override the settings which the load balancer needs in user.yaml. */
function refuseEnvironment(values: YamlMap, release: string): void {
  const [wrong] = [
    ...variablesOf(values, TLS_MODE).filter(({ value }) => value !== "1"),
    ...variablesOf(values, HTTP_PORT).filter(({ value }) => value === DEFAULT_GRPC_PORT),
  ];
  if (!wrong) return;
  const { name, component } = wrong;
  throw new ActionError(`Release ${release} sets ${name} in ${component}.extraEnv; nothing was changed.`, {
    why: "environment variables override user.yaml, so with this one the load balancer can't talk to Milvus.",
    fix: `remove it from ${component}.extraEnv with the input values, and set it in extraConfigFiles."user.yaml" instead.`,
  });
}
