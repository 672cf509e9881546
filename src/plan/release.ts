import { ActionError } from "../base/errors.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { isPending } from "../helm/history.ts";
import { isUpgradable, NOT_INSTALLED, type Release } from "../helm/release.ts";
import { chartNameIn } from "../helm/upgrade.ts";
import {
  diffValues,
  hasNull,
  joinValues,
  layValues,
  mergeValues,
  type ValueChange,
  valueAt,
} from "../helm/values.ts";
import type { Settings } from "../inputs/settings.ts";
import { refuseObstacles } from "../milvus/service-obstacles.ts";
import {
  type GrpcPort,
  grpcPort,
  loadBalancerValues,
  refuseContradictions,
  refuseEditedPort,
  refuseOldProtocols,
  refuseRenaming,
} from "../milvus/values.ts";
import type { Observed } from "../observe/cluster.ts";

/** One Helm upgrade. */
export interface UpgradePlan {
  /** Why it is needed, for the log. */
  reasons: string[];
  /** The values that the load balancer needs, laid over all others. */
  overlay: YamlMap;
  /** `overlay` is all of the release's values instead, those of the inputs among them. */
  replacesValues: boolean;
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

/** Returns what the user gives to this run, in one. */
export function requestedValues({ values }: Settings): YamlMap {
  return values.reduce<YamlMap>((over, source) => joinValues(over, source.values), {});
}

/** @throws ActionError when the release can't be put behind the load balancer as it is */
export function planRelease(settings: Settings, observed: Observed): ReleasePlan {
  const { release, service } = observed;
  const requested = requestedValues(settings);
  const effective = mergeValues(release.computedValues, requested);
  refuseOtherChart(release, chartNameIn({ chart: settings.chart, repository: settings.chartRepository }));
  refuseContradictions(effective, requested, release);
  // What isn't there yet can have any name.
  if (release.status !== NOT_INSTALLED) {
    refuseRenaming(release.computedValues, effective, service.metadata.name);
    // A failed upgrade has perhaps rendered others.
    const deployed = release.status === "deployed" ? release.computedValues : undefined;
    refuseObstacles(effective, deployed, service);
    if (deployed) refuseEditedPort(service, deployed);
  }

  const port = grpcPort(service, effective);
  refuseOldProtocols(service, release.computedValues, effective, port);
  const complete = loadBalancerValues(effective, port, settings.backendConfigName);
  const hasLayer4 = [service.spec.type, valueAt(effective, "service", "type")].includes("LoadBalancer");
  const keepsLayer4 = settings.keepLayer4 && hasLayer4;
  const overlay = keepsLayer4 ? joinValues(complete, { service: { type: "LoadBalancer" } }) : complete;

  const chartVersion = settings.chartVersion?.replace(/^v/, "") ?? release.chartVersion;
  const given = layValues(release.values, requested, release.computedValues, hasDefaultIn(observed));
  const isRemoving = hasNull(requested);
  const upgraded = joinValues(given, overlay);
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
    upgrade: reasons.length > 0 ? { reasons, changes, ...layer(given, overlay, isRemoving) } : undefined,
    // The whole of it once more: the values of the inputs are laid over the release's again, beneath it.
    switchOver: keepsLayer4
      ? {
          reasons: ["value service.type changes"],
          changes: diffValues(upgraded, joinValues(given, complete)),
          ...layer(given, complete, isRemoving),
        }
      : undefined,
  };
}

/**
 * Returns how Helm is given values. With a null among them it is given all: what a null does to the values that Helm
 * itself reuses, and whether it is still there the next time, differs from version to version (helm
 * pkg/chartutil/coalesce.go).
 *
 * @param given the release's own values with those of the inputs over them
 * @param isRemoving whether the inputs have a null
 */
function layer(
  given: YamlMap,
  overlay: YamlMap,
  isRemoving: boolean,
): Pick<UpgradePlan, "overlay" | "replacesValues"> {
  const all = joinValues(given, overlay);
  if (isRemoving || hasNull(all)) return { overlay: all, replacesValues: true };
  return { overlay, replacesValues: false };
}

/** What isn't known counts as a default: a subchart has its own, which Helm doesn't keep. */
function hasDefaultIn({ defaults }: Observed): (path: readonly string[]) => boolean {
  return ([key = "", ...rest]) =>
    defaults === undefined ||
    defaults.subcharts.includes(key) ||
    valueAt(defaults.values, key, ...rest) !== undefined;
}

/**
 * Refuses a chart that isn't the release's own: Helm would put it in the place of everything that the release has.
 *
 * @param chart its name; undefined while that isn't known
 * @throws ActionError naming both
 */
export function refuseOtherChart(release: Release, chart: string | undefined): void {
  if (chart === undefined || chart === release.chart || release.status === NOT_INSTALLED) return;
  const { name, namespace, chartVersion } = release;
  throw new ActionError(
    `Release ${name} in namespace ${namespace} is of the chart ${release.chart}, not ${chart}; nothing was changed.`,
    {
      why: `the release has ${release.chart} ${chartVersion}: an upgrade to another chart deletes what only that one makes, and takes its values for others.`,
      fix: `set chart (and chart_repository) to where ${release.chart} is, or release to one of the chart ${chart}.`,
    },
  );
}

/**
 * Refuses a release that can't be upgraded now.
 *
 * @throws ActionError saying what state it is in, and what to do
 */
export function refuseUnfinished(release: Release): void {
  const { name, namespace, revision, status } = release;
  if (isUpgradable(release)) return;
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
function driftOf({ service, isServiceToCome, release }: Observed, overlay: YamlMap): string[] {
  const { name, annotations } = service.metadata;
  if (isServiceToCome) return release.status === NOT_INSTALLED ? [] : [`Service ${name} is gone`];
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
