import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { mergeValues, valueAt } from "../helm/values.ts";
import type { Service } from "../kubernetes/objects.ts";
import { GRPC_PORT, normalised, withTls } from "./user-yaml.ts";

/** Has GKE make network endpoint groups for a Service. */
const NEG_ANNOTATION = "cloud.google.com/neg";
/** The Service annotations that this action sets. */
export const SERVICE_ANNOTATIONS = [
  "cloud.google.com/app-protocols",
  "cloud.google.com/backend-config",
  NEG_ANNOTATION,
] as const;

const AnyMap = v.custom<YamlMap>(isMap);

/** Tells whether a release's values have what this action puts into them. */
export function isUnderOurCare(values: YamlMap): boolean {
  return valueAt(values, "service", "annotations", NEG_ANNOTATION) !== undefined;
}

/** The port of Milvus's Service that serves gRPC, as the upgrade will leave it. */
export interface GrpcPort {
  name: string;
  port: number;
}

/**
 * Refuses values with which the chart can't be put behind this load balancer.
 *
 * @param values the chart's defaults with the release's and the user's values over them
 * @param requested only what the user gives to this run
 * @throws ActionError naming the value and what to set instead
 */
export function refuseContradictions(
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
 * Refuses environment variables that Milvus puts above its files (milvus-io/milvus, pkg/config, EnvSource): with them
 * user.yaml would say in vain what the load balancer needs.
 */
function refuseEnvironment(values: YamlMap, release: string): void {
  const component = valueAt(values, "cluster", "enabled") ? "proxy" : "standalone";
  const variables = valueAt(values, component, "extraEnv");
  for (const variable of Array.isArray(variables) ? variables : []) {
    const { name, value } = isMap(variable) ? variable : {};
    const setting = normalised([String(name)]).replace(/^milvusconf/, "");
    const isWrong =
      (setting === "commonsecuritytlsmode" && String(value) !== "1") ||
      (setting === "proxyhttpport" && String(value) === GRPC_PORT);
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
 * Returns the Service's gRPC port. Where the chart's values name it they win over the live Service, as they may be
 * about to rename it.
 *
 * @throws ActionError when the Service has no port for gRPC
 */
export function grpcPort(service: Service, values: YamlMap): GrpcPort {
  const { name, port: number } = portIn(values);
  const live =
    portOfPods(service) ?? service.spec.ports.find((port) => port.port === 19530 || port.name === name);
  if (!live) {
    const ports =
      service.spec.ports.map((port) => `${port.name || "(no name)"} ${port.port}`).join(", ") || "none";
    throw new ActionError(
      `Service ${service.metadata.namespace}/${service.metadata.name} has no gRPC port; nothing was changed.`,
      {
        why: `its ports are: ${ports}. Milvus's chart gives it a port with targetPort milvus (19530).`,
        fix: "check the values service.port and service.portName, and that the release runs Milvus's own chart.",
      },
    );
  }
  return { name: name ?? live.name, port: number ?? live.port };
}

/**
 * Refuses a Service whose gRPC port somebody has changed outside Helm, which no upgrade puts back: Helm doesn't touch
 * what is the same in both of its manifests.
 *
 * @param deployed the values that the Service was rendered with
 * @throws ActionError with both ports
 */
export function refuseEditedPort(service: Service, deployed: YamlMap): void {
  const { name, port } = portIn(deployed);
  const live = portOfPods(service);
  if (!live || (live.name === (name ?? live.name) && live.port === (port ?? live.port))) return;
  const title = `${service.metadata.namespace}/${service.metadata.name}`;
  throw new ActionError(`The gRPC port of Service ${title} was changed outside Helm; nothing was changed.`, {
    why: `it is ${live.port} (${live.name || "no name"}); the release has ${port ?? live.port} (${name ?? live.name}).`,
    fix: "put it back (`kubectl edit service`), or set service.port and service.portName to it with the input values.",
  });
}

/** The port that leads to the pods' gRPC port. */
function portOfPods({ spec: { ports } }: Service): (typeof ports)[number] | undefined {
  return ports.find(({ targetPort }) => targetPort === "milvus" || targetPort === 19530);
}

/** What values say of the Service's gRPC port. */
function portIn(values: YamlMap): Partial<GrpcPort> {
  const name = valueAt(values, "service", "portName");
  const port = valueAt(values, "service", "port");
  return {
    ...(typeof name === "string" && name !== "" && { name }),
    ...(typeof port === "number" && { port }),
  };
}

/** What Google's controller reads in place of `cloud.google.com/app-protocols` (kubernetes/ingress-gce, pkg/annotations). */
const OLD_PROTOCOLS = "service.alpha.kubernetes.io/app-protocols";

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
 * Returns the Helm values that the load balancer needs, and nothing else:
 * a ClusterIP Service with the three annotations that GKE's controllers read, and TLS in Milvus itself.
 *
 * @param values the chart's defaults with the release's and the user's values over them
 */
export function loadBalancerValues(values: YamlMap, port: GrpcPort, backendConfig: string): YamlMap {
  const annotations = valueAt(values, "service", "annotations");
  const userYaml = valueAt(values, "extraConfigFiles", "user.yaml");
  return {
    service: {
      type: "ClusterIP",
      annotations: serviceAnnotations(isMap(annotations) ? annotations : {}, port, backendConfig),
    },
    extraConfigFiles: { "user.yaml": withTls(typeof userYaml === "string" ? userYaml : undefined) },
  };
}

/**
 * Returns the Service annotations of GKE's ingress and NEG controllers (kubernetes/ingress-gce, pkg/annotations):
 * HTTP/2 on the gRPC port, our BackendConfig, and a network endpoint group. What users have set for other ports
 * in the same annotations stays.
 */
function serviceAnnotations(present: YamlMap, port: GrpcPort, backendConfig: string): Record<string, string> {
  const needed: Record<(typeof SERVICE_ANNOTATIONS)[number], YamlMap> = {
    "cloud.google.com/app-protocols": { [port.name]: "HTTP2" },
    "cloud.google.com/backend-config": { default: backendConfig },
    [NEG_ANNOTATION]: { ingress: true },
  };
  return Object.fromEntries(
    Object.entries(needed).map(([name, ours]) => {
      // A malformed annotation is replaced: the controllers can't read it either.
      const theirs = parseJson(AnyMap, present[name]) ?? {};
      const ports = theirs.ports;
      // An entry of its own for the gRPC port would win over our default.
      const pinned =
        isMap(ports) && name === "cloud.google.com/backend-config"
          ? Object.keys(ports).filter((key) => key === port.name || key === String(port.port))
          : [];
      const entries =
        pinned.length > 0 ? { ports: Object.fromEntries(pinned.map((key) => [key, backendConfig])) } : {};
      return [name, JSON.stringify(mergeValues(mergeValues(theirs, ours), entries))];
    }),
  );
}
