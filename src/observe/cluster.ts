import * as v from "valibot";
import { allOf } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import type { Job } from "../base/job.ts";
import { parseManifest } from "../helm/manifest.ts";
import { type Release, readRelease } from "../helm/release.ts";
import { refuseUnfinished } from "../helm/release-state.ts";
import { valueAt } from "../helm/values.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { deployerOf } from "../kubernetes/deployers.ts";
import {
  Ingress,
  isOf,
  KubernetesObject,
  ManagedCertificate,
  Pod,
  Secret,
  Service,
} from "../kubernetes/objects.ts";
import { HELM_RELEASE } from "../kubernetes/ownership.ts";
import type { Kind } from "../kubernetes/resources.ts";
import { addressOf } from "../loadbalancer/address.ts";
import { isManagedName, isNamedAfter } from "../loadbalancer/managed-certificates.ts";
import {
  authoritySecretName,
  type CertificateReferences,
  FRONTEND_CONFIG,
  otherHostsOf,
  referencesOf,
} from "../loadbalancer/references.ts";
import { milvusVersionIn } from "../milvus/rendered-objects.ts";
import { MILVUS_CHART } from "../milvus/values.ts";
import type { Access } from "./access.ts";
import { serviceToCome } from "./installation.ts";
import { observeMissing } from "./missing-release.ts";
import type { ClusterState } from "./observed.ts";
import { observeReleaseObjects, WORKLOADS } from "./release-objects.ts";

/**
 * Reads the release and the objects that this action makes, side by side.
 *
 * @throws ActionError when the release, its namespace or its Service doesn't exist, or the cluster can't make
 *   load balancers
 */
export async function observeCluster(
  settings: Settings,
  job: Job,
  { api, helm }: Pick<Access, "api" | "helm">,
): Promise<ClusterState> {
  const { namespace, release: name } = settings;
  const [deployed, services, objects, otherIngresses, workloads, pods] = await allOf([
    readRelease(api, name, namespace),
    api.list(
      "Service",
      namespace,
      `labelSelector=app.kubernetes.io/instance=${name},component in (proxy,standalone)`,
    ),
    observeObjects(settings, api),
    observeOtherIngresses(settings, api),
    observeReleaseObjects(api, name, namespace, WORKLOADS),
    api.list("Pod", namespace, `labelSelector=app.kubernetes.io/instance=${name}`),
  ]);
  refuseDeletionInProgress(objects, settings);
  const ingress = parsed(Ingress, findObject(objects, "Ingress", settings.ingressName));
  const found = {
    objects,
    ingress,
    ingressAddress: ingress && addressOf(ingress),
    otherIngresses,
    workloads,
    pods: pods.items.map((item) => v.parse(Pod, item)),
    tlsSecret: parsed(Secret, findObject(objects, "Secret", settings.tlsSecret)),
    authoritySecret: parsed(Secret, findObject(objects, "Secret", authoritySecretName(settings.tlsSecret))),
    managedCertificates: objects
      .filter(({ kind }) => kind === "ManagedCertificate")
      .map((object) => v.parse(ManagedCertificate, object)),
  };
  if (deployed) refuseUnfinished(deployed);
  const milvus = deployed
    ? {
        release: deployed,
        ...serviceOf(deployed, services.items),
        chart: undefined,
      }
    : await observeMissing(settings, job, { api, helm });
  const { release, service } = milvus;
  const deployer = deployerOf([service, ...workloads]);
  const formerHosts = otherHostsOf(ingress, settings.host, service.metadata.name);
  return { ...found, ...milvus, deployer, formerHosts, milvusVersion: runningVersion(release, service) };
}

function runningVersion({ base, appVersion }: Release, service: Service): string {
  const objects = [...parseManifest(base?.manifest ?? "").values()];
  return milvusVersionIn(objects, service.metadata.name) ?? appVersion;
}

/**
 * Returns the Service through which Milvus is reached. If it was deleted, returns it as Helm will make it.
 */
function serviceOf(
  release: Release,
  items: readonly unknown[],
): Pick<ClusterState, "service" | "isServiceToCome"> {
  const { name, namespace, chart, chartVersion } = release;
  const toCome = serviceToCome(name, namespace, chart, release.computedValues);
  const [service, ...others] = items
    .map((item) => v.parse(Service, item))
    // `kubectl expose` copies the labels to Services that Helm doesn't know.
    .filter(
      ({ metadata }) => metadata.annotations[HELM_RELEASE] === name || metadata.name === toCome.metadata.name,
    );
  if (!service && hasServiceIn(release)) return { service: toCome, isServiceToCome: true };
  if (!service) {
    throw new ActionError(
      `Release ${name} in namespace ${namespace} has no Milvus Service; nothing was changed.`,
      {
        why: `no Service there has the labels app.kubernetes.io/instance=${name} and component=proxy or component=standalone; the release's chart is ${chart} ${chartVersion}.`,
        fix: "set release to a release of Milvus's own Helm chart.",
      },
    );
  }
  if (others.length > 0) {
    throw new ActionError(
      `Release ${name} in namespace ${namespace} has more than one Milvus Service; nothing was changed.`,
      {
        why: [service, ...others].map(({ metadata }) => metadata.name).join(", "),
        fix: "delete those that an earlier release of the same name left behind.",
      },
    );
  }
  return { service, isServiceToCome: false };
}

/** Tells whether Helm makes a Service for Milvus (zilliztech/milvus-helm, templates/service.yaml). */
function hasServiceIn({ chart, computedValues }: Release): boolean {
  const isCluster = Boolean(valueAt(computedValues, "cluster", "enabled"));
  return chart === MILVUS_CHART && (!isCluster || Boolean(valueAt(computedValues, "proxy", "enabled")));
}

/** A killed run may have left the chart's Ingress while it is being deleted: this run waits for that. */
function refuseDeletionInProgress(
  objects: readonly KubernetesObject[],
  { release, namespace }: Pick<Settings, "release" | "namespace">,
): void {
  const deleted = objects.find(
    ({ kind, metadata }) =>
      metadata.deletionTimestamp && !(kind === "Ingress" && metadata.annotations[HELM_RELEASE] === release),
  );
  if (!deleted) return;
  const { name, deletionTimestamp, finalizers } = deleted.metadata;
  throw new ActionError(`${deleted.kind} ${namespace}/${name} is being deleted; nothing was changed.`, {
    why: `deletionTimestamp ${deletionTimestamp}, finalizers: ${finalizers.join(", ") || "none"}.`,
    fix: "run again when it is gone. An Ingress is gone when Google has removed its load balancer.",
  });
}

/** Parses an object; undefined if there is none. */
export function parsed<T>(schema: v.GenericSchema<unknown, T>, object: unknown): T | undefined {
  return object === undefined ? undefined : v.parse(schema, object);
}

/** Reads the objects with the names that this action gives, and the certificates that its Ingress names. */
export async function observeObjects(
  settings: Pick<
    Settings,
    | "namespace"
    | "ingressName"
    | "backendConfigName"
    | "tlsSecret"
    | "certificate"
    | "frontendConfig"
    | "frontendConfigName"
  >,
  api: ApiServer,
): Promise<KubernetesObject[]> {
  const { namespace } = settings;
  const get = async (kind: Kind, name: string) => {
    const object = await api.get(kind, namespace, name);
    return object === undefined ? [] : [v.parse(KubernetesObject, object)];
  };
  const named = await allOf([
    get("Ingress", settings.ingressName),
    get("BackendConfig", settings.backendConfigName),
    get("Secret", settings.tlsSecret),
    get("Secret", authoritySecretName(settings.tlsSecret)),
  ]);
  const objects = named.flat();
  const ingress = findObject(objects, "Ingress", settings.ingressName);
  const live = referencesOf(ingress && v.parse(Ingress, ingress));
  const secrets = live.secrets.filter((name) => name !== settings.tlsSecret);
  // Google's controller leaves a certificate's name in an Ingress that no longer names the
  // ManagedCertificate.
  const isManaged =
    settings.certificate.kind === "google-managed" ||
    live.managed.length > 0 ||
    live.preShared.some(isManagedName);
  const isFrontendConfigured =
    settings.frontendConfig !== undefined || ingress?.metadata.annotations[FRONTEND_CONFIG] !== undefined;
  // Some clusters lack these kinds, and some accounts the right to read them: they are read only if needed.
  const more = await allOf([
    isFrontendConfigured ? get("FrontendConfig", settings.frontendConfigName) : Promise.resolve([]),
    isManaged ? managedCertificates(api, settings, live) : Promise.resolve([]),
    ...secrets.flatMap((name) => [get("Secret", name), get("Secret", authoritySecretName(name))]),
  ]);
  return [...objects, ...more.flat()];
}

/** Returns the namespace's Ingresses except this action's own. */
export async function observeOtherIngresses(
  { namespace, ingressName }: Pick<Settings, "namespace" | "ingressName">,
  api: ApiServer,
): Promise<Ingress[]> {
  const { items } = await api.list("Ingress", namespace, "labelSelector=");
  return items.map((item) => v.parse(Ingress, item)).filter(({ metadata }) => metadata.name !== ingressName);
}

/** Returns the ManagedCertificates that the Ingress names, and those with a name that this action gives. */
async function managedCertificates(
  api: ApiServer,
  { namespace, tlsSecret }: Pick<Settings, "namespace" | "tlsSecret">,
  live: CertificateReferences,
): Promise<KubernetesObject[]> {
  const { items } = await api.list("ManagedCertificate", namespace, "labelSelector=");
  return (
    items
      // Unlike those of built-in resources, the items of a list of custom resources carry their kind.
      .map((item) => v.parse(KubernetesObject, item))
      .filter(({ metadata: { name } }) => isNamedAfter(tlsSecret, name) || live.managed.includes(name))
  );
}

/** Returns the object of a kind and a name. */
export function findObject(
  objects: readonly KubernetesObject[],
  kind: string,
  name: string,
): KubernetesObject | undefined {
  return objects.find(isOf({ kind, metadata: { name } }));
}
