import { allOf } from "../base/async.ts";
import { info, warning } from "../base/log.ts";
import { type DroppedValues, describeDropped, droppedValues } from "../helm/dropped-values.ts";
import { givenValues } from "../helm/helm-values.ts";
import { describeLostValues, type LostValue, lostValuesIn } from "../helm/lost-values.ts";
import { NOT_INSTALLED } from "../helm/release.ts";
import { readHistory } from "../helm/stored-release.ts";
import { joinValues } from "../helm/values.ts";
import type { Settings } from "../inputs/settings.ts";
import { afterAdoption } from "../kubernetes/adopt.ts";
import type { ApiServer, Manifest } from "../kubernetes/api.ts";
import { dryRunApply } from "../kubernetes/dry-run.ts";
import { dryRunManifests } from "../kubernetes/manifest-set.ts";
import { isOf } from "../kubernetes/objects.ts";
import { changedAsBefore } from "../loadbalancer/origin.ts";
import { hasLoadBalancerValues } from "../milvus/values.ts";
import type { Access } from "../observe/access.ts";
import type { Observed } from "../observe/observed.ts";
import { authorityMoveOf } from "../plan/authority-move.ts";
import type { ObjectChange } from "../plan/changes.ts";
import { objectChange, uncheckedChange } from "../plan/changes.ts";
import { consequencesOf } from "../plan/consequences.ts";
import { exposuresOf } from "../plan/exposure.ts";
import type { LoadBalancerPlan } from "../plan/load-balancer.ts";
import type { Plan } from "../plan/plan.ts";
import { describePlan, reportPlan } from "../report/plan.ts";
import type { Session } from "../report/session.ts";
import { refuseForbiddenDeployment } from "./rights.ts";

/** The outcome of all checks that change nothing. */
export interface DryRun {
  /** The changes of the load balancer's objects, of the user's manifests, and at Google. */
  objects: ObjectChange[];
}

/**
 * Checks everything that could be refused before anything is changed, and reports what the run will change.
 */
export async function checkByDryRun(
  settings: Settings,
  session: Session,
  access: Access,
  observed: Observed,
  plan: Plan,
): Promise<DryRun> {
  // Of several failures the first one is reported. Rights come first: their error names all that are missing.
  const [, objects, { lost, dropped }] = await allOf([
    // A plan is also made for accounts that may only read.
    settings.mode === "plan" ? undefined : refuseForbiddenDeployment(settings, access, observed, plan),
    dryRunObjects(settings, access.api, plan),
    formerValues(access.api, observed, plan),
  ]);
  const all = [...plan.google, ...objects];
  const isDropped = dropped && observed.ingress && describeDropped(observed.release, dropped);
  const consequences = [...consequencesOf(settings, observed, plan), ...(isDropped ? [isDropped] : [])];
  session.report.plan = reportPlan(plan, all, consequences, lost);
  for (const line of describePlan(session.report.plan)) info(line);
  session.report.openDoor = plan.openDoor;
  const exposures = exposuresOf(settings, observed, plan.release);
  const newAuthority = authorityMoveOf(settings.host, observed);
  for (const danger of [...exposures, plan.openDoor, newAuthority, isDropped]) if (danger) warning(danger);
  for (const each of plan.rendered?.warnings ?? []) warning(each);
  if (lost.length > 0) warning(describeLostValues(observed.release, lost));
  return { objects: all };
}

/**
 * Returns what former revisions had and the release no longer has: its users' values, and this action's.
 * Looks only before an upgrade of a release without this action's values: its own upgrades lose none.
 */
async function formerValues(
  api: ApiServer,
  { release }: Observed,
  { release: { upgrade } }: Plan,
): Promise<{ lost: LostValue[]; dropped: DroppedValues | undefined }> {
  if (!upgrade || hasLoadBalancerValues(release.values) || release.status === NOT_INSTALLED) {
    return { lost: [], dropped: undefined };
  }
  const history = await readHistory(api, release);
  return {
    lost: lostValuesIn(history, joinValues(release.values, givenValues(upgrade.values))),
    dropped: droppedValues(history, hasLoadBalancerValues),
  };
}

async function dryRunObjects(
  { adopt: adopts, mode }: Pick<Settings, "adopt" | "mode">,
  api: ApiServer,
  { loadBalancer, files }: Plan,
): Promise<ObjectChange[]> {
  // A plan is also made for accounts that may only read.
  const asReader = mode === "plan";
  const [ours, theirs] = await allOf([
    allOf(loadBalancer.manifests.map((manifest) => dryRunOwn(api, manifest, loadBalancer, asReader))),
    dryRunManifests(api, files, { force: adopts, asReader }),
  ]);
  const orphans = loadBalancer.orphans.map(({ kind, name }) => ({ kind, name, action: "delete" as const }));
  const others = theirs.map(({ before, after, isChecked }) =>
    isChecked ? objectChange(before, after) : uncheckedChange(before, after),
  );
  return [...ours, ...others, ...orphans];
}

async function dryRunOwn(
  api: ApiServer,
  manifest: Manifest,
  { live: objects, adopted }: LoadBalancerPlan,
  asReader: boolean,
): Promise<ObjectChange> {
  const live = objects.find(isOf(manifest));
  const marked = changedAsBefore(manifest, live);
  const taken = adopted.find(isOf(manifest));
  const taking = (change: ObjectChange) => (taken ? { ...change, action: "take over" as const } : change);
  if (asReader && !(await api.mayApply(manifest))) return taking(uncheckedChange(live, marked));
  const { before, after } = await dryRunApply(api, marked, live, { force: true });
  return taking(objectChange(before, taken ? afterAdoption(after, taken) : after));
}
