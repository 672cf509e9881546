import { info, warning } from "@actions/core";
import { type Access, reachCluster } from "./access.ts";
import { allOf } from "./async.ts";
import { ActionError } from "./errors.ts";
import { removeHostRecord } from "./gke/cloud-dns.ts";
import { releaseAddress } from "./gke/compute.ts";
import { isPending, wasDeployed } from "./helm/history.ts";
import { type Release, readRelease } from "./helm/release.ts";
import { chartFor } from "./helm/stored-chart.ts";
import { readStoredReleases } from "./helm/stored-release.ts";
import type { LocalChart } from "./helm/upgrade.ts";
import type { Settings } from "./inputs.ts";
import type { ApiServer } from "./kubernetes/api.ts";
import { deleteAndAwait, type ObjectReference } from "./kubernetes/deletion.ts";
import { readManifests } from "./kubernetes/manifest-files.ts";
import { Ingress, type KubernetesObject } from "./kubernetes/objects.ts";
import { ownerOf } from "./kubernetes/ownership.ts";
import { DEPLOY, type Rights, refuseMissingRights, TEARDOWN } from "./kubernetes/permissions.ts";
import { isNamedAfter, referencesOf } from "./loadbalancer/references.ts";
import { addressOf } from "./loadbalancer/waits.ts";
import { observeObjects, parsed } from "./observe.ts";
import { observeUnwantedAddress, observeZone, type UnwantedAddress, type Zone } from "./place.ts";
import type { UpgradePlan } from "./release-plan.ts";
import { describePlan } from "./report/plan.ts";
import { planRestore, revisionBefore } from "./restore-plan.ts";
import { type Session, step } from "./session.ts";
import { recoverPending, upgradeOrRollBack } from "./upgrade.ts";

/** The Ingress first: Google's controllers hold on to whatever it refers to. */
const KINDS = ["Ingress", "ManagedCertificate", "FrontendConfig", "BackendConfig", "Secret"] as const;
/** How long an object without finalizers may take to go, in milliseconds. */
const GOING_MS = 60_000;

/** What is to be removed, and to what the release goes back. */
interface Teardown {
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
 * Removes the load balancer and everything else that deployments have made, and nothing that they haven't; with
 * restore_layer4 the release goes back to what it was. What is gone already is no failure.
 *
 * @throws ActionError for whatever the user can change, CancelledError when the job was cancelled
 */
export async function teardown(settings: Settings, session: Session): Promise<void> {
  const { known } = session;
  known.host = settings.host;
  known.ingress = `${settings.namespace}/${settings.ingressName}`;
  const access = await step(session, "Tools and cluster", () => reachCluster(settings, session));
  try {
    if (settings.restoreLayer4 && settings.recoverPending !== undefined) {
      await recoverPending(settings, session, access, settings.recoverPending);
    }
    const plan = await step(session, "Look and plan", () => look(settings, session, access));
    if (plan.objects.length + plan.manifests.length > 0) {
      await step(session, "Remove the load balancer", () => remove(settings, session, access.api, plan));
    }
    await step(session, "Give back what there is at Google", () => giveBack(settings, session, plan));
    if (plan.restore) {
      const { release, upgrade, chart } = plan.restore;
      known.changed = true;
      const title = "Restore the Helm release";
      const { overlay } = upgrade;
      const undertaking = { title, release, chart, overlay, replacesValues: true };
      known.releaseRevision = await upgradeOrRollBack(settings, session, access, undertaking);
    }
  } finally {
    await access.close();
  }
}

async function look(settings: Settings, session: Session, access: Access): Promise<Teardown> {
  const { api, helm } = access;
  const { namespace, restoreLayer4 } = settings;
  const rights: Rights[] = [...TEARDOWN, ...(restoreLayer4 ? DEPLOY : [])];
  const files = await readManifests(settings.manifests, session.workspace, namespace);
  const [, objects, release, zone, manifests] = await allOf([
    refuseMissingRights(api, namespace, rights),
    observeObjects(settings, api),
    restoreLayer4 ? readRelease(helm, settings.release, namespace) : undefined,
    observeZone(settings, access),
    allOf(files.map(({ manifest }) => api.find(manifest))),
  ]);
  const ingress = parsed(
    Ingress,
    objects.find(({ kind }) => kind === "Ingress"),
  );
  const plan: Teardown = {
    objects: KINDS.flatMap((kind) => ours(objects, kind, settings, ingress)),
    manifests: manifests.flatMap((object) => (object && isOurs(object) ? [object] : [])).reverse(),
    zone,
    address: ingress && addressOf(ingress),
    unwanted: await observeUnwantedAddress(settings, access, ingress),
    restore: release && (await lookBack(settings, session, access, release)),
  };
  const { restore } = plan;
  const report = {
    upgrade: restore?.upgrade.reasons ?? [],
    later: [],
    values: (restore?.upgrade.changes ?? []).map(({ path }) => ({ path })),
    objects: [
      ...plan.objects.map(({ kind, name }) => ({ kind, name, action: "delete" as const })),
      ...plan.manifests.map(({ kind, metadata: { name } }) => ({ kind, name, action: "delete" as const })),
    ],
    restarts: [],
    consequences: [],
    lost: [],
  };
  session.known.plan = report;
  for (const line of describePlan(report)) info(line);
  return plan;
}

/** Finds out to which values the release goes back, and has its chart at hand before anything is removed. */
async function lookBack(
  settings: Settings,
  session: Session,
  { api, helm }: Access,
  release: Release,
): Promise<Teardown["restore"]> {
  if (isPending(release)) throw pendingRelease(release);
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
  const { chart: name, chartRepository: repository } = settings;
  const reference = { chart: name, repository, version: release.chartVersion };
  const chart = await chartFor(helm, api, reference, release, session.directory);
  return { release, upgrade, chart };
}

function pendingRelease({ name, namespace, revision, status, pendingSince }: Release): ActionError {
  return new ActionError(
    `Revision ${revision} of release ${name} in namespace ${namespace} is ${status}; nothing was changed.`,
    {
      why: `another Helm run is at work on the release${pendingSince ? ` since ${pendingSince}` : ""}, or one was killed before it could record how it ended.`,
      fix: `wait for the other run; if there is none, \`helm rollback ${name} -n ${namespace}\` and run again, or set recover_pending to an age at which this action does that. Without restore_layer4 the release doesn't matter.`,
    },
  );
}

/** Returns the objects of a kind that this action has made; others are left alone, and said. */
function ours(
  objects: readonly KubernetesObject[],
  kind: (typeof KINDS)[number],
  settings: Settings,
  ingress: Ingress | undefined,
): ObjectReference[] {
  const { namespace } = settings;
  return objects
    .filter((object) => object.kind === kind && isOfIngress(object, settings, ingress))
    .flatMap((object) => {
      const { name, uid } = object.metadata;
      if (isToAdopt(object, settings) || isOurs(object, kind === "Ingress")) {
        return [{ kind, namespace, name, uid }];
      }
      return [];
    });
}

/**
 * Tells whether this action has made an object; another one is left alone, which is said.
 *
 * @param isVital nothing can be removed without it
 */
function isOurs(object: KubernetesObject, isVital = false): boolean {
  const owner = ownerOf(object);
  if (owner.kind === "ours") return true;
  const { kind, metadata } = object;
  const whose = `${kind} ${metadata.namespace}/${metadata.name} was not made by this action (its fields are managed by ${owner.managers.join(", ") || "somebody else"})`;
  if (isVital) {
    throw new ActionError(`${whose}; nothing was changed.`, {
      fix: "delete it by hand, set ingress_name to this action's own, or set adopt: true to have it removed.",
    });
  }
  info(`${whose}: it is left alone.`);
  return false;
}

/** Another release of the namespace may have a ManagedCertificate of its own. */
function isOfIngress(
  { kind, metadata: { name } }: KubernetesObject,
  { tlsSecret }: Settings,
  ingress: Ingress | undefined,
): boolean {
  return (
    kind !== "ManagedCertificate" ||
    isNamedAfter(tlsSecret, name) ||
    referencesOf(ingress).managed.includes(name)
  );
}

/** A Secret that somebody else keeps is never this action's to delete. */
function isToAdopt(
  { kind, metadata: { name } }: KubernetesObject,
  { adopt, certificate, tlsSecret }: Settings,
): boolean {
  return adopt && (kind !== "Secret" || (certificate.kind === "self-managed" && name === tlsSecret));
}

async function remove(
  { addressTimeout }: Settings,
  { known, signal }: Session,
  api: ApiServer,
  { objects, manifests }: Teardown,
): Promise<void> {
  const takeAway = async (object: ObjectReference, limit: number) => {
    // Said beforehand: a deletion that hangs or is cancelled has changed something too.
    known.changed = true;
    await deleteAndAwait(api, object, limit, signal);
    info(`${object.kind} ${object.namespace}/${object.name} is gone.`);
  };
  const [ingresses, others] = [
    objects.filter(({ kind }) => kind === "Ingress"),
    objects.filter(({ kind }) => kind !== "Ingress"),
  ];
  // Its finalizer goes when Google's load balancer has gone, and only that lets go of the rest.
  for (const ingress of ingresses) await takeAway(ingress, addressTimeout);
  await allOf(others.map((object) => takeAway(object, GOING_MS)));
  for (const manifest of manifests) {
    known.changed = true;
    await api.remove(manifest);
    info(`${manifest.kind} ${manifest.metadata.name} is deleted.`);
  }
}

async function giveBack(
  { host, staticIpName }: Settings,
  { known }: Session,
  { zone, address, unwanted }: Teardown,
): Promise<void> {
  if (zone) {
    const { owner, project } = zone;
    const { deletions, kept } = await removeHostRecord(zone.zone, { host, address, owner }, project);
    if (deletions.length > 0) {
      known.changed = true;
      info(`The record of ${host} was removed from the Cloud DNS zone ${zone.zone.name}.`);
    }
    if (kept) info(`A record is left in the Cloud DNS zone ${zone.zone.name}: ${kept}.`);
  }
  if (unwanted) {
    const { name, scope, project } = unwanted;
    const wasThere = await releaseAddress(scope, name, project);
    if (wasThere) known.changed = true;
    info(`The static address ${name} ${wasThere ? "is released" : "is gone already"}.`);
  } else if (staticIpName) {
    info(`The static address ${staticIpName} stays reserved (delete_static_ip: true releases it).`);
  }
}
