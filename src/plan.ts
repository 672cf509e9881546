import { isDeepStrictEqual } from "node:util";
import { ActionError } from "./errors.ts";
import { diffValues, joinValues, mergeValues, type ValueChange, valueAt } from "./helm/values.ts";
import type { Settings } from "./inputs.ts";
import type { Manifest } from "./kubernetes/api.ts";
import type { KubernetesObject } from "./kubernetes/objects.ts";
import type { KeyPair } from "./loadbalancer/certificate.ts";
import { backendConfig, type FrontNames, ingress, tlsSecret } from "./loadbalancer/manifests.ts";
import {
  type GrpcPort,
  grpcPort,
  loadBalancerValues,
  refuseContradictions,
  refuseRenaming,
} from "./milvus/values.ts";
import type { Observed } from "./observe.ts";
import { isMap, type YamlMap } from "./yaml.ts";

/** The Helm upgrade that a run needs. */
export interface UpgradePlan {
  /** Why it is needed, for the log. */
  reasons: string[];
  /** The values that the load balancer needs, laid over all others. */
  overlay: YamlMap;
  /** What becomes of the release's own values. */
  changes: ValueChange[];
}

/** What a run will do. */
export interface Plan {
  names: FrontNames;
  port: GrpcPort;
  chartVersion: string;
  /** Undefined when the release already is as it should be. */
  upgrade: UpgradePlan | undefined;
  manifests: Manifest[];
}

/** What becomes of an object of ours. */
export interface ObjectChange {
  kind: string;
  name: string;
  action: "create" | "change" | "keep";
}

/**
 * Decides everything that a run will do. Pure: the same settings and observations give the same plan.
 *
 * @param newCertificate a key pair to put into the Secret; undefined while the one in the cluster is good
 * @throws ActionError when the release can't be put behind the load balancer as it is
 */
export function makePlan(settings: Settings, observed: Observed, newCertificate: KeyPair | undefined): Plan {
  const { release, service } = observed;
  refuseUnfinished(observed);

  const requested = settings.values.reduce<YamlMap>((over, { values }) => joinValues(over, values), {});
  const effective = mergeValues(release.computedValues, requested);
  refuseContradictions(effective, requested, release.name);
  refuseRenaming(release.computedValues, effective, service.metadata.name);

  const port = grpcPort(service, effective);
  const overlay = loadBalancerValues(effective, port, settings.backendConfigName);
  const chartVersion = settings.chartVersion?.replace(/^v/, "") ?? release.chartVersion;
  const changes = diffValues(release.values, mergeValues(release.values, joinValues(requested, overlay)));
  const reasons = [
    ...changes.map(({ path }) => `value ${path} changes`),
    ...(chartVersion === release.chartVersion
      ? []
      : [`chart ${release.chartVersion} becomes ${chartVersion}`]),
    ...(release.status === "deployed" ? [] : [`revision ${release.revision} is ${release.status}`]),
    ...driftOf(observed, overlay),
  ];

  const names: FrontNames = {
    namespace: settings.namespace,
    host: settings.host,
    ingress: settings.ingressName,
    backendConfig: settings.backendConfigName,
    tlsSecret: settings.tlsSecret,
    service: service.metadata.name,
  };
  return {
    names,
    port,
    chartVersion,
    upgrade: reasons.length > 0 ? { reasons, overlay, changes } : undefined,
    // The Ingress last: what it refers to is there before its controller looks for it.
    manifests: [
      backendConfig(names, settings.backendTimeoutSeconds),
      ...(newCertificate ? [tlsSecret(names, newCertificate)] : []),
      ingress(names, port, settings.allowHttp),
    ],
  };
}

/** Compares what the API server would store with what is there. */
export function objectChanges(
  before: readonly KubernetesObject[],
  after: readonly KubernetesObject[],
): ObjectChange[] {
  return after.map((object) => {
    const { kind, metadata } = object;
    const live = before.find(
      (candidate) => candidate.kind === kind && candidate.metadata.name === metadata.name,
    );
    const action = !live ? "create" : isDeepStrictEqual(content(live), content(object)) ? "keep" : "change";
    return { kind, name: metadata.name, action };
  });
}

/** An object without the metadata that the API server keeps for itself. */
function content(object: KubernetesObject): object {
  const { managedFields: _, resourceVersion: __, generation: ___, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function refuseUnfinished({ release }: Observed): void {
  const { name, namespace, revision, status, pendingSince } = release;
  if (status === "deployed" || status === "failed") return;
  if (!status.startsWith("pending-")) {
    throw new ActionError(`Release ${name} in namespace ${namespace} is ${status}; nothing was changed.`, {
      why: `its newest revision, ${revision}, is ${status}: there is nothing to upgrade.`,
      fix: "install Milvus again (Helm's `helm rollback` also brings back an uninstalled release that was kept), then run again.",
    });
  }
  throw new ActionError(
    `Revision ${revision} of release ${name} in namespace ${namespace} is ${status}; nothing was changed.`,
    {
      why: `another Helm run is at work on the release${pendingSince ? ` since ${pendingSince}` : ""}, or one was killed before it could record how it ended.`,
      fix:
        status === "pending-install"
          ? `wait for the other run; if there is none, \`helm uninstall ${name} -n ${namespace}\` and install again.`
          : `wait for the other run; if there is none, \`helm rollback ${name} -n ${namespace}\` and run again, or set recover_pending to an age at which this action does that.`,
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
    ...(service.spec.type === "ClusterIP"
      ? []
      : [`Service ${name} was changed to type ${service.spec.type}`]),
    ...changed.map((key) => `Service ${name} has lost annotation ${key}`),
  ];
}
