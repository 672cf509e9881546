import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { allOf } from "../base/async.ts";
import type { LocalChart } from "../helm/chart.ts";
import { appliesServerSide } from "../helm/flags.ts";
import { type ManifestObject, parseManifest } from "../helm/manifest.ts";
import { NOT_INSTALLED, type Release } from "../helm/release.ts";
import { renderUpgrade } from "../helm/render.ts";
import { type AppliedUpgrade, verbsOfUpgrade } from "../helm/rights.ts";
import { readRevision } from "../helm/stored-release.ts";
import type { Helm } from "../helm/upgrade.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import type { FileManifest } from "../kubernetes/manifest-documents.ts";
import { type ObjectVerbs, refuseMissingRights, rightsOn } from "../kubernetes/permissions.ts";
import { LOAD_BALANCER, RELEASE, REMOVE, rightsIn, rightsToClear, without } from "../kubernetes/rights.ts";
import type { Access } from "../observe/access.ts";
import { deploymentRights } from "../observe/observe.ts";
import type { Observed } from "../observe/observed.ts";
import { teardownRights } from "../observe/teardown.ts";
import type { Plan } from "../plan/plan.ts";
import type { TeardownPlan } from "../plan/teardown.ts";
import type { Session } from "../report/session.ts";

type Upgrading = Pick<AppliedUpgrade, "before" | "after" | "hooks">;

/**
 * Refuses a deployment that the API server would refuse when half of it is done: after the first refusal Helm
 * goes on with the other objects. Asks for the rights that the Helm upgrade, its rollback, the user's
 * manifests and the clean-up need beyond those that every deployment needs.
 *
 * @throws ActionError naming what is missing; nothing was changed
 */
export async function refuseForbiddenDeployment(
  settings: Settings,
  { api, helm }: Pick<Access, "api" | "helm">,
  { release }: Pick<Observed, "release">,
  { release: { upgrade, switchOver }, rendered, loadBalancer, files, awaitedPods }: Plan,
): Promise<void> {
  const before = release.base?.manifest ?? "";
  // The switch from layer 4 alone changes no other object than the Service.
  const work =
    upgrade || switchOver
      ? { before, after: rendered?.manifest ?? before, hooks: rendered?.hooks ?? [] }
      : undefined;
  const objects = [
    ...(work ? helmVerbs(settings, await helm(), release, work) : []),
    ...(upgrade ? await failedVerbs(api, await helm(), release) : []),
    ...files.map(verbsOfFile),
  ];
  const cleared = [...loadBalancer.orphans, ...(awaitedPods ? loadBalancer.manifests : [])];
  const clearing = rightsToClear(cleared.map(({ kind }) => kind));
  const needed = [
    // What an adopted load balancer keeps, such as its certificate, may need more than the inputs do.
    ...deploymentRights(settings),
    ...(await rightsOn(api, objects)),
    ...rightsIn(settings.namespace, clearing),
  ];
  const asked = rightsIn(settings.namespace, RELEASE, LOAD_BALANCER);
  await refuseMissingRights(api, without(needed, asked));
  if (work) await refuseGrants(api, await helm(), release, work);
}

/**
 * Refuses a teardown that the API server would refuse when half of it is done: a load balancer that is half
 * removed is worse than a whole one.
 *
 * @param chart the chart of the release to restore
 * @throws ActionError naming what is missing; nothing was changed
 */
export async function refuseForbiddenTeardown(
  settings: Settings,
  { directory }: Pick<Session, "directory">,
  { api, helm }: Pick<Access, "api" | "helm">,
  { objects, manifests, restore }: TeardownPlan,
  chart: LocalChart | undefined,
): Promise<void> {
  const others = objects.flatMap(({ kind }) =>
    kind === "FrontendConfig" || kind === "ManagedCertificate" ? [REMOVE[kind]] : [],
  );
  let work: Upgrading | undefined;
  let restoring: ObjectVerbs[] = [];
  if (restore && chart) {
    const { release, upgrade } = restore;
    const { values } = upgrade;
    const by = await helm();
    const { manifest, hooks } = await renderUpgrade(by, { release, chart, values, directory });
    work = { before: release.base?.manifest ?? "", after: manifest, hooks };
    restoring = [...helmVerbs(settings, by, release, work), ...(await failedVerbs(api, by, release))];
  }
  const needed = [...(await rightsOn(api, restoring)), ...rightsIn(settings.namespace, others)];
  await refuseMissingRights(api, without(needed, teardownRights(settings)));
  await allOf(manifests.map((manifest) => api.remove(manifest, { dryRun: true })));
  if (restore && work) await refuseGrants(api, await helm(), restore.release, work);
}

function helmVerbs(
  { rollbackOnFailure }: Pick<Settings, "rollbackOnFailure">,
  helm: Helm,
  release: Release,
  work: Upgrading,
): ObjectVerbs[] {
  return verbsOfUpgrade({
    ...work,
    namespace: release.namespace,
    serverSide: isServerSide(helm, release),
    rollsBack: rollbackOnFailure && release.status !== NOT_INSTALLED,
  });
}

/** Returns what the rollback of a failed revision does, which precedes the next client-side upgrade. */
async function failedVerbs(api: ApiServer, helm: Helm, release: Release): Promise<ObjectVerbs[]> {
  const { namespace, base, status, revision } = release;
  if (status !== "failed" || !base || base.revision === revision || isServerSide(helm, release)) return [];
  const { manifest } = await readRevision(api, release, revision);
  return verbsOfUpgrade({
    namespace,
    before: manifest,
    after: base.manifest,
    hooks: [],
    serverSide: false,
    rollsBack: false,
  });
}

/** Helm 4 installs server-side, and stays with that. */
function isServerSide({ version }: Helm, { status, serverSide }: Release): boolean {
  return appliesServerSide(version, { serverSide: serverSide || status === NOT_INSTALLED });
}

/** Its dry run shows whether the account may also create it. */
function verbsOfFile({ manifest: { apiVersion, kind, metadata } }: FileManifest): ObjectVerbs {
  return { apiVersion, kind, namespace: metadata.namespace ?? "", verbs: ["get", "patch"] };
}

const Binding = v.looseObject({ roleRef: v.looseObject({ kind: v.string(), name: v.string() }) });

/**
 * Refuses Roles and RoleBindings that give more rights than the account has. The API server doesn't let it
 * write them, whatever rights it has on Roles themselves. Only a dry run shows that.
 */
async function refuseGrants(
  api: ApiServer,
  helm: Helm,
  release: Release,
  { before, after }: Upgrading,
): Promise<void> {
  const old = parseManifest(before);
  const written = [...parseManifest(after)].filter(
    ([key, object]) =>
      object.apiVersion.startsWith("rbac.authorization.k8s.io/") &&
      (isServerSide(helm, release) || !isDeepStrictEqual(old.get(key), object)),
  );
  const isNew = (kind: string, name: string) =>
    written.some(([key, other]) => other.kind === kind && other.metadata.name === name && !old.has(key));
  // Before its Role is there, a RoleBinding can't be tried. Its rights are those of the Role.
  const tried = written.filter(([, object]) => {
    const { success, output } = v.safeParse(Binding, object);
    return !success || !isNew(output.roleRef.kind, output.roleRef.name);
  });
  await allOf(
    tried.map(([, object]) => api.apply(bareManifest(object, release), { dryRun: true, force: true })),
  );
}

/** Labels and annotations give no rights. */
function bareManifest(object: ManifestObject, { namespace }: Release) {
  const { name, namespace: own } = object.metadata;
  return { ...object, metadata: { name, namespace: own || namespace } };
}
