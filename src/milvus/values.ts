import * as v from "valibot";
import { parseJson } from "../base/json.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { mergeValues, valueAt } from "../helm/values.ts";
import type { GrpcPort } from "./grpc-port.ts";
import { withTls } from "./user-yaml.ts";

/** The name of Milvus's own chart. */
export const MILVUS_CHART = "milvus";
/** Has GKE make network endpoint groups for a Service. */
const NEG_ANNOTATION = "cloud.google.com/neg";
/** The Service annotations that this action sets. */
export const SERVICE_ANNOTATIONS = [
  "cloud.google.com/app-protocols",
  "cloud.google.com/backend-config",
  NEG_ANNOTATION,
] as const;

const AnyMap = v.custom<YamlMap>(isMap);

/** Tells whether this action has set its values in a release. */
export function hasLoadBalancerValues(values: YamlMap): boolean {
  return valueAt(values, "service", "annotations", NEG_ANNOTATION) !== undefined;
}

/** Returns the text of Milvus's `user.yaml`, undefined when the values have none. */
export function userYamlIn(values: YamlMap): string | undefined {
  const text = valueAt(values, "extraConfigFiles", "user.yaml");
  return typeof text === "string" ? text : undefined;
}

/**
 * Returns only the Helm values that the load balancer needs: a ClusterIP Service with the three annotations
 * that GKE's controllers read, and TLS in Milvus itself.
 *
 * @param values the chart's defaults, overridden by the release's and the user's values
 */
export function loadBalancerValues(values: YamlMap, port: GrpcPort, backendConfig: string): YamlMap {
  const annotations = valueAt(values, "service", "annotations");
  return {
    service: {
      type: "ClusterIP",
      annotations: serviceAnnotations(isMap(annotations) ? annotations : {}, port, backendConfig),
    },
    extraConfigFiles: { "user.yaml": withTls(userYamlIn(values)) },
  };
}

/**
 * Returns the Service annotations of GKE's ingress and NEG controllers (kubernetes/ingress-gce,
 * pkg/annotations): HTTP/2 on the gRPC port, our BackendConfig, and a network endpoint group. Users' entries
 * for other ports stay.
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
      // An entry for the gRPC port would win over our default.
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
