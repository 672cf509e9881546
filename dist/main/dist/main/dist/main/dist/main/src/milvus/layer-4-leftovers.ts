import { isDeepStrictEqual } from "node:util";
import { ActionError } from "../base/errors.ts";
import type { YamlMap } from "../base/yaml.ts";
import { valueAt } from "../helm/values.ts";
import type { Service } from "../kubernetes/objects.ts";

/** The annotation form of `spec.loadBalancerSourceRanges`: which clients a layer-4 load balancer admits. */
export const SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges";

/**
 * Refuses settings of a layer-4 load balancer that the API server doesn't accept in a ClusterIP Service
 * (k8s.io/kubernetes, pkg/apis/core/validation, ValidateService). Otherwise the upgrade would fail half-way.
 *
 * @param values the chart's defaults, overridden by the release's and the user's values
 * @param deployed the values that the live Service was rendered with; undefined if unknown
 * @param service the live Service
 * @throws ActionError naming the value or the field, and how to remove it
 */
export function refuseLayer4Leftovers(
  values: YamlMap,
  deployed: YamlMap | undefined,
  service: Service,
): void {
  const { name, namespace, annotations } = service.metadata;
  const { clusterIP, loadBalancerSourceRanges } = service.spec;
  const restriction = "to restrict clients, set allowed_ranges.";
  if ((valueAt(values, "service", "annotations", SOURCE_RANGES) ?? null) !== null) {
    throw new ActionError(`The value service.annotations."${SOURCE_RANGES}" is set; nothing was changed.`, {
      why: "Kubernetes accepts that annotation only for Services of type LoadBalancer.",
      fix: `set it to null with the input values; ${restriction}`,
    });
  }
  if (annotations[SOURCE_RANGES] !== undefined) {
    throw new ActionError(
      `Service ${namespace}/${name} has the annotation ${SOURCE_RANGES}; nothing was changed.`,
      {
        why: "it was set outside Helm, and Kubernetes accepts it only for Services of type LoadBalancer.",
        fix: `\`kubectl annotate service ${name} -n ${namespace} ${SOURCE_RANGES}-\`, and run again; ${restriction}`,
      },
    );
  }
  // Helm itself removes what it rendered.
  const isEdited =
    deployed !== undefined &&
    !isDeepStrictEqual(
      loadBalancerSourceRanges,
      valueAt(deployed, "service", "loadBalancerSourceRanges") ?? [],
    );
  if (loadBalancerSourceRanges.length > 0 && isEdited) {
    throw new ActionError(
      `Service ${namespace}/${name} has spec.loadBalancerSourceRanges; nothing was changed.`,
      {
        why: "it was set outside Helm, and Kubernetes accepts it only for Services of type LoadBalancer.",
        fix: `\`kubectl patch service ${name} -n ${namespace} --type=merge -p '{"spec":{"loadBalancerSourceRanges":null}}'\`, and run again; ${restriction}`,
      },
    );
  }
  const wanted = valueAt(values, "service", "clusterIP");
  if (wanted && wanted !== clusterIP) {
    throw new ActionError(`The value service.clusterIP is ${String(wanted)}; nothing was changed.`, {
      why: `Service ${namespace}/${name} has ${clusterIP ?? "none"}, which can't be changed in Kubernetes.`,
      fix: "remove service.clusterIP with the input values (null), or set it to what the Service has.",
    });
  }
}
