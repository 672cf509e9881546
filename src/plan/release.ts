import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { parseJson } from "../base/json.ts";
import { isMap, type YamlMap } from "../base/yaml.ts";
import { chartNameIn } from "../helm/chart.ts";
import type { HelmValues } from "../helm/helm-values.ts";
import { parseManifest } from "../helm/manifest.ts";
import { NOT_INSTALLED, type Release } from "../helm/release.ts";
import { refuseOtherChart } from "../helm/release-state.ts";
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
import { requestedValues } from "../inputs/values.ts";
import type { Deployer } from "../kubernetes/deployers.ts";
import { type GrpcPort, grpcPort, refuseEditedPort } from "../milvus/grpc-port.ts";
import { refuseLayer4Leftovers } from "../milvus/layer-4-leftovers.ts";
import { refuseOldProtocols, refuseRenaming, refuseUnsupportedValues } from "../milvus/value-checks.ts";
import { loadBalancerValues } from "../milvus/values.ts";
import type { Observed } from "../observe/observed.ts";
import { refuseSubchart } from "./other-deployers.ts";
import { type KeptReplicas, keptReplicas } from "./replicas.ts";
import { valuesOverlay } from "./values-overlay.ts";

/** One Helm upgrade. */
export interface UpgradePlan {
  /** Why it is needed, for the log. */
  reasons: string[];
  /** What Helm is given: the values of the inputs, and over them those that the load balancer needs. */
  values: HelmValues;
  /** The changes of the release's own values. */
  changes: ValueChange[];
}

/** What a run does to the release. */
export interface ReleasePlan {
  port: GrpcPort;
  chartVersion: string;
  /** The defaults of a former chart that become values of the release. */
  keptDefaults: string[];
  /**
   * The values that the load balancer needs, as YAML without secrets, for upgrades that something else makes.
   */
  overlay: string;
  /** Sentences on numbers of pods that are kept, and on inputs without effect. */
  notes: string[];
  /** Undefined when the release already is as it should be. */
  upgrade: UpgradePlan | undefined;
  /** The upgrade that takes the layer-4 load balancer away once Milvus answers through the new one. */
  switchOver: UpgradePlan | undefined;
}

/** Returns the upgrade that comes first; undefined when the release stays as it is. */
export function nextUpgrade({ upgrade, switchOver }: ReleasePlan): UpgradePlan | undefined {
  return upgrade ?? switchOver;
}

const AnyMap = v.custom<YamlMap>(isMap);
const OVERRIDDEN_TYPE =
  "service.type: LoadBalancer of the input values has no effect: behind the layer-7 load balancer the Service is ClusterIP.";
const NO_REPLICAS: KeptReplicas = { values: {}, notes: [] };

/**
 * Decides which values the release gets.
 *
 * @param kept defaults of the release that its chart no longer has. They become values of the release
 * @throws ActionError when the release can't be put behind the load balancer as it is
 */
export function planRelease(settings: Settings, observed: Observed, kept: YamlMap = {}): ReleasePlan {
  const { release, service, deployer } = observed;
  const requested = requestedValues(settings);
  const effective = mergeValues(release.computedValues, requested);
  const port = checkedPort(settings, observed, requested, effective);
  const complete = loadBalancerValues(effective, port, settings.backendConfigName);
  const hasLayer4 = [service.spec.type, valueAt(release.computedValues, "service", "type")].includes(
    "LoadBalancer",
  );
  const keepsLayer4 = settings.keepLayer4 && hasLayer4;
  const overlay = keepsLayer4 ? joinValues(complete, { service: { type: "LoadBalancer" } }) : complete;

  const chartVersion = settings.chartVersion?.replace(/^v/, "") ?? release.chartVersion;
  const own = joinValues(kept, release.values);
  const hasKept = Object.keys(kept).length > 0;
  const given = layValues(own, requested, release.computedValues, hasDefaultIn(release));
  const reasons = [
    ...diffValues(own, joinValues(given, overlay)).map(({ path }) => `value ${path} changes`),
    ...releaseReasons(release, chartVersion),
    ...driftOf(observed, overlay),
  ];
  const isChanging = reasons.length > 0 || keepsLayer4;
  const recorded = [...parseManifest(release.base?.manifest ?? "").values()];
  const replicas = isChanging ? keptReplicas(observed.workloads, recorded, requested) : NO_REPLICAS;
  const firstOverlay = joinValues(overlay, replicas.values);
  const lastOverlay = joinValues(complete, replicas.values);
  const after = joinValues(given, firstOverlay);
  return {
    port,
    chartVersion,
    // Another tool can't take the layer-4 load balancer away once Milvus answers: it
    // stays in its values until then.
    overlay: valuesOverlay(deployer ? overlay : complete, release),
    notes: [
      ...replicas.notes,
      ...(deployer && keepsLayer4 ? [layer4Stays(deployer)] : []),
      ...(isChanging && valueAt(requested, "service", "type") === "LoadBalancer" ? [OVERRIDDEN_TYPE] : []),
    ],
    keptDefaults: diffValues(release.values, own).map(({ path }) => path),
    upgrade:
      reasons.length > 0
        ? {
            reasons,
            changes: diffValues(release.values, after),
            values: valuesFor(settings, given, firstOverlay, hasKept),
          }
        : undefined,
    switchOver:
      keepsLayer4 && !deployer
        ? {
            reasons: ["value service.type changes"],
            changes: diffValues(after, joinValues(given, lastOverlay)),
            values: valuesFor(settings, given, lastOverlay, hasKept),
          }
        : undefined,
  };
}

/**
 * Checks that the release can be put behind the load balancer. Returns its gRPC port.
 *
 * @param requested the values of the inputs
 * @param effective all values that the release would have with them
 */
function checkedPort(
  settings: Settings,
  observed: Observed,
  requested: YamlMap,
  effective: YamlMap,
): GrpcPort {
  const { release, service } = observed;
  refuseSubchart(release, observed, settings.backendConfigName);
  refuseOtherChart(release, chartNameIn({ chart: settings.chart, repository: settings.chartRepository }));
  refuseUnsupportedValues(effective, requested, release);
  // A release that isn't installed yet can have any name.
  if (release.status !== NOT_INSTALLED) {
    refuseRenaming(release.computedValues, effective, service.metadata.name);
    // A failed upgrade may have changed the Service.
    const deployed = release.status === "deployed" ? release.computedValues : undefined;
    refuseLayer4Leftovers(effective, deployed, service);
    if (deployed) refuseEditedPort(service, deployed);
  }
  const port = grpcPort(service, effective);
  refuseOldProtocols(service, release.computedValues, effective, port);
  return port;
}

/** Returns why the release needs an upgrade whatever its values are: its chart version, or its status. */
function releaseReasons(release: Release, chartVersion: string): string[] {
  const isSound = release.status === "deployed" || release.status === NOT_INSTALLED;
  return [
    ...(chartVersion === release.chartVersion
      ? []
      : [`chart ${release.chartVersion} becomes ${chartVersion}`]),
    ...(isSound ? [] : [`revision ${release.revision} is ${release.status}`]),
  ];
}

function layer4Stays({ tool, object }: Deployer): string {
  return `The layer-4 load balancer stays: ${tool} deploys the release. Once Milvus answers through the new one, set service.type: ClusterIP in that ${object}.`;
}

/**
 * Returns the values for Helm. With a null among them Helm gets all values of the release: Helm's versions
 * differ in what a null does to reused values, and in whether it is stored (helm pkg/chartutil/coalesce.go).
 *
 * @param given the release's own values with those of the inputs over them
 * @param hasKept whether former defaults are among them, which Helm itself wouldn't reuse
 */
function valuesFor(settings: Settings, given: YamlMap, overlay: YamlMap, hasKept: boolean): HelmValues {
  const all = joinValues(given, overlay);
  if (hasKept || hasNull(requestedValues(settings)) || hasNull(all)) return { kind: "instead", values: all };
  return { kind: "over", files: settings.values, overlay };
}

/** An unknown value counts as a default: a subchart has defaults that Helm doesn't store. */
function hasDefaultIn({ base }: Release): (path: readonly string[]) => boolean {
  if (!base) return () => true;
  const { metadata, values } = base.chart;
  const subcharts = metadata.dependencies.map(({ name, alias }) => alias ?? name);
  return ([key = "", ...rest]) => subcharts.includes(key) || valueAt(values, key, ...rest) !== undefined;
}

/** Returns what somebody changed on the Service outside Helm. Only an upgrade restores it. */
function driftOf({ service, isServiceToCome, release }: Observed, overlay: YamlMap): string[] {
  const { name, annotations } = service.metadata;
  if (isServiceToCome) return release.status === NOT_INSTALLED ? [] : [`Service ${name} is gone`];
  const wanted = valueAt(overlay, "service", "annotations");
  // A value that the release itself doesn't have yet is no drift.
  const deployed = diffValues(valueAt(release.values, "service"), valueAt(overlay, "service"));
  if (deployed.some(({ after }) => after !== undefined) || !isMap(wanted)) return [];
  const changed = Object.entries(wanted).flatMap(([key, value]) =>
    saysAll(annotations[key], value) ? [] : [key],
  );
  return [
    ...(service.spec.type === valueAt(overlay, "service", "type")
      ? []
      : [`Service ${name} was changed to type ${service.spec.type}`]),
    ...changed.map((key) => `Service ${name} has lost annotation ${key}`),
  ];
}

/**
 * Tells whether an annotation of GKE's controllers says all that it needs to say: they read
 * JSON, so spaces don't count, and somebody may have added more (a service mesh adds
 * `exposed_ports` to `cloud.google.com/neg`).
 */
function saysAll(text: string | undefined, wanted: unknown): boolean {
  if (text === undefined || typeof wanted !== "string") return text === wanted;
  const [live, needed] = [parseJson(AnyMap, text), parseJson(AnyMap, wanted)];
  return needed !== undefined && live !== undefined && isDeepStrictEqual(mergeValues(live, needed), live);
}
