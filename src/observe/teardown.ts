import { warning } from "@actions/core";
import * as v from "valibot";
import { allOf } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import { info } from "../base/log.ts";
import type { LocalChart } from "../helm/chart.ts";
import { isPending, wasDeployed } from "../helm/history.ts";
import { type Release, readRelease } from "../helm/release.ts";
import { pendingRelease, refuseOtherChart } from "../helm/release-state.ts";
import { chartFor } from "../helm/stored-chart.ts";
import { readStoredReleases } from "../helm/stored-release.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import type { ObjectReference } from "../kubernetes/deletion.ts";
import { readManifests } from "../kubernetes/manifest-files.ts";
import { Ingress, type KubernetesObject, Service } from "../kubernetes/objects.ts";
import { ownerOf } from "../kubernetes/ownership.ts";
import { DEPLOY, REMOVE, type Rights, refuseMissingRights, TEARDOWN } from "../kubernetes/permissions.ts";
import { needs } from "../loadbalancer/references.ts";
import { addressOf } from "../loadbalancer/waits.ts";
import type { UpgradePlan } from "../plan/release.ts";
import { planRestore, revisionBefore } from "../plan/restore.ts";
import { describePlan } from "../report/plan.ts";
import type { Session } from "../report/session.ts";
import type { Access } from "./access.ts";
import { observeUnwantedAddress, type UnwantedAddress } from "./address.ts";
import { observeObjects, observeOtherIngresses, parsed } from "./cluster.ts";
import { hasOwnRecord, observeZone, type Zone } from "./dns-zone.ts";

/** In the order in which the log names them. */
const KINDS = ["Ingress", "ManagedCertificate", "FrontendConfig", "BackendConfig", "Secret"] as const;

/** What is to be removed, and to what the release goes back. */
export interface TeardownPlan {
  objects: ObjectReference[];
  /** The user's own that deployments have applied, the last one first. */
  manifests: KubernetesObject[];
  zone: Zone | undefined;
  /** Where the load balancer is. */
  address: string | undefined;
  /** The static address to release. */
  unwanted: UnwantedAddress | undefined;
  restore: { release: Release; upgrade: UpgradePlan; chart: LocalChart } | undefined;
}

/**
 * Looks at what deployments have made, and finds out everything that could be refused before anything is removed.
 *
 * @throws ActionError when something may not be removed, or the release can't be given its former values now
 */
export async function planTeardown(
  settings: Settings,
  session: Session,
  access: Access,
): Promise<TeardownPlan> {
  const { api, helm } = access;
  const { namespace, restoreLayer4 } = settings;
  const rights: Rights[] = [...TEARDOWN, ...(restoreLayer4 ? DEPLOY : [])];
  const files = await readManifests(settings.manifests, session.workspace, namespace);
  const [, objects, neighbours, release, zone, manifests] = await allOf([
    refuseMissingRights(api, namespace, rights),
    observeObjects(settings, api),
    observeNeighbours(settings, api),
    restoreLayer4 ? readRelease(helm, settings.release, namespace) : undefined,
    observeZone(settings, access),
    allOf(files.map(({ manifest }) => api.find(manifest))),
  ]);
  const ingressObject = objects.find(({ kind }) => kind === "Ingress");
  if (ingressObject) refuseForeign(ingressObject, settings);
  const ingress = parsed(Ingress, ingressObject);
  const address = ingress && addressOf(ingress);
  const plan: TeardownPlan = {
    objects: KINDS.flatMap((kind) => ours(objects, kind, settings)).filter(
      (object) => !isShared(object, neighbours),
    ),
    manifests: manifests
      .flatMap((object) => (object && isOurs(object) && !mayHoldOthers(object) ? [object] : []))
      .reverse(),
    zone,
    address,
    unwanted: await observeUnwantedAddress(settings, access, ingress),
    restore: release && (await lookBack(settings, session, access, release)),
  };
  await refuseIrremovable(api, namespace, plan);
  const { restore, unwanted } = plan;
  const deleted = (kind: string, name: string) => ({ kind, name, action: "delete" as const });
  const report = {
    upgrade: restore?.upgrade.reasons ?? [],
    later: [],
    values: (restore?.upgrade.changes ?? []).map(({ path }) => ({ path })),
    objects: [
      ...plan.objects.map(({ kind, name }) => deleted(kind, name)),
      ...plan.manifests.map(({ kind, metadata: { name } }) => deleted(kind, name)),
      ...(zone && (await hasOwnRecord(settings.host, zone, address))
        ? [deleted("DNS record", settings.host)]
        : []),
      ...(unwanted?.isReserved ? [deleted("static address", unwanted.name)] : []),
    ],
    restarts: [],
    consequences: [],
    lost: [],
  };
  session.report.plan = report;
  for (const line of describePlan(report)) info(line);
  return plan;
}

/** What stays half removed would be worse than what stays whole. */
async function refuseIrremovable(
  api: ApiServer,
  namespace: string,
  { objects, manifests }: TeardownPlan,
): Promise<void> {
  const needed = objects.flatMap(({ kind }) =>
    kind === "FrontendConfig" || kind === "ManagedCertificate" ? [REMOVE[kind]] : [],
  );
  await allOf([
    refuseMissingRights(api, namespace, needed),
    ...manifests.map((manifest) => api.remove(manifest, { dryRun: true })),
  ]);
}

/** Finds out to which values the release goes back, and has its chart at hand before anything is removed. */
async function lookBack(
  settings: Settings,
  session: Session,
  { api, helm }: Access,
  release: Release,
): Promise<TeardownPlan["restore"]> {
  if (isPending(release)) {
    throw pendingRelease(release, " Without restore_layer4 the release doesn't matter.");
  }
  const history = await readStoredReleases(api, release);
  const former = revisionBefore(history.filter(wasDeployed));
  const attempted = release.status === "failed" ? history.at(-1)?.values : undefined;
  const upgrade = planRestore(release.values, former, attempted);
  if (!upgrade || release.status === "uninstalled") {
    info(`Release ${release.name} (${release.status}) has none of this action's values: it stays as it is.`);
    return undefined;
  }
  if (!former) {
    warning(
      `Helm's history of release ${release.name} has no revision from before this action: it gets a Service of type LoadBalancer, and Milvus without TLS.`,
    );
  }
  const { chart: name, chartRepository: repository, chartLogin: login } = settings;
  const reference = { chart: name, repository, login, version: release.chartVersion };
  const chart = await chartFor(helm, api, reference, release, session.directory);
  refuseOtherChart(release, chart.name);
  return { release, upgrade, chart };
}

/** The namespace's other Ingresses, and all of its Services. */
interface Neighbours {
  ingresses: Ingress[];
  services: Service[];
}

async function observeNeighbours(settings: Settings, api: ApiServer): Promise<Neighbours> {
  const [ingresses, services] = await allOf([
    observeOtherIngresses(settings, api),
    api.list("Service", settings.namespace, "labelSelector="),
  ]);
  return { ingresses, services: services.items.map((item) => v.parse(Service, item)) };
}

/** Tells whether another load balancer of the namespace needs an object, which is said. */
function isShared({ kind, namespace, name }: ObjectReference, { ingresses, services }: Neighbours): boolean {
  const user = ingresses.find((ingress) => needs(ingress, { kind, name }, services));
  if (user) info(`${kind} ${namespace}/${name} is left alone: Ingress ${user.metadata.name} needs it.`);
  return user !== undefined;
}

/** Returns the objects of a kind that this action has made. */
function ours(
  objects: readonly KubernetesObject[],
  kind: (typeof KINDS)[number],
  settings: Settings,
): ObjectReference[] {
  const { namespace } = settings;
  return objects
    .filter((object) => object.kind === kind && (mayAdopt(object, settings) || isOurs(object)))
    .map(({ metadata: { name, uid } }) => ({ kind, namespace, name, uid }));
}

/** Tells whether this action has made an object; another one is left alone, which is said. */
function isOurs(object: KubernetesObject): boolean {
  const stranger = strangerOf(object);
  if (stranger) info(`${stranger}: it is left alone.`);
  return stranger === undefined;
}

/** With a namespace or a definition everything in it would go, whoever has made it. */
function mayHoldOthers({ kind, metadata: { name } }: KubernetesObject): boolean {
  const holds = kind === "Namespace" || kind === "CustomResourceDefinition";
  if (holds) info(`${kind} ${name} is left alone: it may hold objects of others.`);
  return holds;
}

/** Says that somebody else has made an object; undefined when this action has. */
function strangerOf(object: KubernetesObject): string | undefined {
  const owner = ownerOf(object);
  if (owner.kind === "ours") return undefined;
  const { kind, metadata } = object;
  const name = metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
  return `${kind} ${name} was not made by this action (its fields are managed by ${owner.managers.join(", ") || "somebody else"})`;
}

/** Without its Ingress nothing of a load balancer can be removed. */
function refuseForeign(ingress: KubernetesObject, settings: Settings): void {
  const stranger = mayAdopt(ingress, settings) ? undefined : strangerOf(ingress);
  if (!stranger) return;
  throw new ActionError(`${stranger}; nothing was changed.`, {
    fix: "delete it by hand, set ingress_name to this action's own, or set adopt: true to have it removed.",
  });
}

/** A Secret that somebody else keeps is never this action's to delete. */
function mayAdopt(
  { kind, metadata: { name } }: KubernetesObject,
  { adopt, certificate, tlsSecret }: Settings,
): boolean {
  return adopt && (kind !== "Secret" || (certificate.kind === "self-managed" && name === tlsSecret));
}
