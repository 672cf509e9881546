import { ActionError } from "./errors.ts";
import { isPending } from "./helm/history.ts";
import { NOT_INSTALLED, type Release } from "./helm/release.ts";
import { diffValues, joinValues, mergeValues, type ValueChange, valueAt } from "./helm/values.ts";
import type { Settings } from "./inputs.ts";
import {
  type GrpcPort,
  grpcPort,
  loadBalancerValues,
  refuseContradictions,
  refuseOldProtocols,
  refuseRenaming,
} from "./milvus/values.ts";
import type { Observed } from "./observe.ts";
import { isMap, type YamlMap } from "./yaml.ts";

/** One Helm upgrade. */
export interface UpgradePlan {
  /** Why it is needed, for the log. */
  reasons: string[];
  /** The values that the load balancer needs, laid over all others. */
  overlay: YamlMap;
  /** What becomes of the release's own values. */
  changes: ValueChange[];
}

/** What becomes of the release. */
export interface ReleasePlan {
  port: GrpcPort;
  chartVersion: string;
  /** Undefined when the release already is as it should be. */
  upgrade: UpgradePlan | undefined;
  /** The upgrade that takes the layer-4 load balancer away once Milvus answers through the new one. */
  switchOver: UpgradePlan | undefined;
}

/** What makes the Service's own layer-4 load balancer go. */
const WITHOUT_LAYER_4 = { service: { type: "ClusterIP" } };

/** Returns what the user gives to this run, in one. */
export function requestedValues({ values }: Settings): YamlMap {
  return values.reduce<YamlMap>((over, source) => joinValues(over, source.values), {});
}

/** @throws ActionError when the release can't be put behind the load balancer as it is */
export function planRelease(settings: Settings, observed: Observed): ReleasePlan {
  const { release, service } = observed;
  refuseUnfinished(observed);

  const requested = requestedValues(settings);
  const effective = mergeValues(release.computedValues, requested);
  refuseContradictions(effective, requested, release.name);
  // What isn't there yet can have any name.
  if (release.status !== NOT_INSTALLED) {
    refuseRenaming(release.computedValues, effective, service.metadata.name);
  }

  const port = grpcPort(service, effective);
  refuseOldProtocols(service, release.computedValues, effective, port);
  const complete = loadBalancerValues(effective, port, settings.backendConfigName);
  const hasLayer4 = [service.spec.type, valueAt(effective, "service", "type")].includes("LoadBalancer");
  const keepsLayer4 = settings.keepLayer4 && hasLayer4;
  const overlay = keepsLayer4 ? joinValues(complete, { service: { type: "LoadBalancer" } }) : complete;

  const chartVersion = settings.chartVersion?.replace(/^v/, "") ?? release.chartVersion;
  const upgraded = mergeValues(release.values, joinValues(requested, overlay));
  const changes = diffValues(release.values, upgraded);
  const reasons = [
    ...changes.map(({ path }) => `value ${path} changes`),
    ...(chartVersion === release.chartVersion
      ? []
      : [`chart ${release.chartVersion} becomes ${chartVersion}`]),
    ...(release.status === "deployed" || release.status === NOT_INSTALLED
      ? []
      : [`revision ${release.revision} is ${release.status}`]),
    ...driftOf(observed, overlay),
  ];
  return {
    port,
    chartVersion,
    upgrade: reasons.length > 0 ? { reasons, overlay, changes } : undefined,
    switchOver: keepsLayer4
      ? {
          reasons: ["value service.type changes"],
          overlay: WITHOUT_LAYER_4,
          changes: diffValues(upgraded, mergeValues(upgraded, WITHOUT_LAYER_4)),
        }
      : undefined,
  };
}

function refuseUnfinished({ release }: Observed): void {
  const { name, namespace, revision, status } = release;
  if (status === "deployed" || status === "failed" || status === NOT_INSTALLED) return;
  if (!isPending(release)) {
    throw new ActionError(`Release ${name} in namespace ${namespace} is ${status}; nothing was changed.`, {
      why: `its newest revision, ${revision}, is ${status}: there is nothing to upgrade.`,
      fix: "install Milvus again (Helm's `helm rollback` also brings back an uninstalled release that was kept), then run again.",
    });
  }
  throw pendingRelease(release);
}

/**
 * Returns the error for a release on which another Helm run is, or was, at work.
 *
 * @param otherwise a sentence on what else can be done
 */
export function pendingRelease(
  { name, namespace, revision, status, pendingSince }: Release,
  otherwise = "",
): ActionError {
  return new ActionError(
    `Revision ${revision} of release ${name} in namespace ${namespace} is ${status}; nothing was changed.`,
    {
      why: `another Helm run is at work on the release${pendingSince ? ` since ${pendingSince}` : ""}, or one was killed before it could record how it ended.`,
      fix:
        status === "pending-install"
          ? `wait for the other run; if there is none, \`helm uninstall ${name} -n ${namespace}\` and install again.`
          : `wait for the other run; if there is none, \`helm rollback ${name} -n ${namespace}\` and run again, or set recover_pending to an age at which this action does that.${otherwise}`,
    },
  );
}

/** What someone has changed on the Service outside Helm: only an upgrade puts it back. */
function driftOf({ service, release }: Observed, overlay: YamlMap): string[] {
  const { name, annotations } = service.metadata;
  const wanted = valueAt(overlay, "service", "annotations");
  // Not drift while the release itself doesn't have it yet.
  const deployed = diffValues(valueAt(release.values, "service"), valueAt(overlay, "service"));
  if (deployed.some(({ after }) => after !== undefined) || !isMap(wanted)) return [];
  const changed = Object.entries(wanted).flatMap(([key, value]) => (annotations[key] === value ? [] : [key]));
  return [
    ...(service.spec.type === valueAt(overlay, "service", "type")
      ? []
      : [`Service ${name} was changed to type ${service.spec.type}`]),
    ...changed.map((key) => `Service ${name} has lost annotation ${key}`),
  ];
}
