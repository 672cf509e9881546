import { isDeepStrictEqual } from "node:util";
import { ActionError } from "../base/errors.ts";
import type { YamlMap } from "../base/yaml.ts";
import { valueAt } from "../helm/values.ts";
import type { Service } from "../kubernetes/objects.ts";

/** Which clients a layer-4 load balancer admits, as an annotation; `spec.loadBalancerSourceRanges` says the same. */
export const SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges";

/**
 * Refuses what is left of a layer-4 load balancer that the API server doesn't take in a ClusterIP Service
 * (k8s.io/kubernetes, pkg/apis/core/validation, ValidateService): Helm would find out half-way.
 *
 * @param values the chart's defaults with the release's and the user's values over them
 * @param deployed those that the live Service was rendered with; undefined when that isn't known
 * @param service the live one
 * @throws ActionError naming the value or the field, and how to remove it
 */
export function refuseLayer4Leftovers(
  values: YamlMap,
  deployed: YamlMap | undefined,
  service: Service,
): void {
  const { name, namespace, annotations } = service.metadata;
  const { clusterIP, loadBalancerSourceRanges } = service.spec;
  const restriction =
    "which clients may come is then said by a Cloud Armor policy: securityPolicy in backend_config.";
  if ((valueAt(values, "service", "annotations", SOURCE_RANGES) ?? null) !== null) {
    throw new ActionError(
      `The value service.annotations."${SOURCE_RANGES}" is in the way; nothing was changed.`,
      {
        why: "Kubernetes takes that annotation for Services of type LoadBalancer only.",
        fix: `set it to null with the input values; ${restriction}`,
      },
    );
  }
  if (annotations[SOURCE_RANGES] !== undefined) {
    throw new ActionError(
      `Service ${namespace}/${name} has the annotation ${SOURCE_RANGES}; nothing was changed.`,
      {
        why: "it was set outside Helm, and Kubernetes takes it for Services of type LoadBalancer only.",
        fix: `\`kubectl annotate service ${name} -n ${namespace} ${SOURCE_RANGES}-\`, and run again; ${restriction}`,
      },
    );
  }
  // What Helm has rendered it takes away itself.
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
        why: "it was set outside Helm, and Kubernetes takes it for Services of type LoadBalancer only.",
        fix: `\`kubectl patch service ${name} -n ${namespace} --type=merge -p '{"spec":{"loadBalancerSourceRanges":null}}'\`, and run again; ${restriction}`,
      },
    );
  }
  const wanted = valueAt(values, "service", "clusterIP");
  if (wanted && wanted !== clusterIP) {
    throw new ActionError(`The value service.clusterIP is ${String(wanted)}; nothing was changed.`, {
      why: `Service ${namespace}/${name} has ${clusterIP ?? "none"}, which Kubernetes lets nobody change.`,
      fix: "remove service.clusterIP with the input values (null), or set it to what the Service has.",
    });
  }
}
