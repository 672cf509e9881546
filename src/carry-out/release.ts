import { formatDuration } from "../base/duration.ts";
import { ActionError, messageOf, RestartError } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { originOf } from "../base/origin.ts";
import { withProgress } from "../base/progress.ts";
import type { LocalChart } from "../helm/chart.ts";
import { ReleaseBusyError } from "../helm/error.ts";
import { appliesServerSide } from "../helm/flags.ts";
import { isPending, type Revision } from "../helm/history.ts";
import { install } from "../helm/install.ts";
import { compareManifests, type ManifestChange } from "../helm/manifest.ts";
import type { RolloutLimit } from "../helm/patience.ts";
import { untilSettled } from "../helm/pending.ts";
import { NOT_INSTALLED, type Release, readRelease } from "../helm/release.ts";
import { pendingRelease } from "../helm/release-state.ts";
import { verbsOfUpgrade } from "../helm/rights.ts";
import { rollback } from "../helm/rollback.ts";
import { watchRollout } from "../helm/rollout.ts";
import {
  findLastDeployed,
  listRevisions,
  readRevision,
  type StoredRelease,
  secretOf,
} from "../helm/stored-release.ts";
import { upgrade } from "../helm/upgrade.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { refuseMissingRights, rightsOn } from "../kubernetes/permissions.ts";
import type { Access } from "../observe/access.ts";
import type { UpgradePlan } from "../plan/release.ts";
import {
  changing,
  type LATER_UPGRADE,
  type RunReport,
  recording,
  recordOutcome,
  type UPGRADE,
} from "../report/run-report.ts";
import { type Session, step } from "../report/session.ts";
import type { BesideRollout } from "./beside-rollout.ts";
import { type PlannedOverwrites, refuseOvertaken } from "./overtaken.ts";

type ReleaseSettings = Pick<Settings, "release" | "namespace" | "helmTimeout" | "rollbackOnFailure">;

/** One Helm upgrade to make. */
export interface HelmUpgrade {
  /** The step's name in the log. */
  title: string;
  /** Its key in the report. */
  change: typeof UPGRADE | typeof LATER_UPGRADE;
  /** The release before the upgrade. */
  release: Release;
  chart: LocalChart;
  plan: UpgradePlan;
  /** What Helm would make of the release; undefined when the live objects may have changed since the plan. */
  rendered?: PlannedOverwrites | undefined;
}

/**
 * Upgrades the release and returns its new revision. After a failure it rolls the release back to the
 * deployed revision, and the error says so.
 *
 * @param beside what goes on beside the upgrade; it is taken back when the upgrade fails
 * @throws OvertakenError when the release was upgraded, scaled or edited since this
 *   run looked; nothing was changed
 */
export async function upgradeOrRollBack(
  settings: ReleaseSettings,
  session: Session,
  access: Access,
  helmUpgrade: HelmUpgrade,
  beside?: BesideRollout,
): Promise<number> {
  const { report, signal } = session;
  const { release, title, change, rendered } = helmUpgrade;
  await refuseOvertaken(access.api, release, rendered);
  signal.throwIfAborted();
  const begun = Date.now();
  return await changing(report, async (nothingChanged) => {
    try {
      const work = async () => {
        if (release.status === "failed" && !appliesServerSide((await access.helm()).version, release)) {
          await rollBackFailed(access, report, release, settings.helmTimeout);
        }
        return upgradeRelease(settings, session, access, helmUpgrade, beside);
      };
      return await recording(report, change, () => step(session, title, work, "pods"));
    } catch (error) {
      const notBegun = () => {
        nothingChanged();
        recordOutcome(report, change, undefined);
      };
      if (error instanceof ReleaseBusyError) notBegun();
      // The runner gives a cancelled job ten seconds: not enough for a rollback.
      if (error instanceof ReleaseBusyError || signal.aborted) throw error;
      const isMade = await hasMadeRevision(access.api, release);
      if (!isMade) {
        notBegun();
        throw error;
      }
      const endings = [
        await beside
          ?.takeBack()
          .catch((failure: unknown) => `What it had made beside could not be deleted. ${messageOf(failure)}`),
        settings.rollbackOnFailure &&
          (await undoUpgrade(settings, session, access, helmUpgrade, begun).catch(
            (failure: unknown) => `The release could not be rolled back either. ${messageOf(failure)}`,
          )),
      ].filter(Boolean);
      // Planning again would not help: the release has a new revision.
      if (endings.length === 0 && !(error instanceof RestartError)) throw error;
      throw new ActionError([messageOf(error), ...endings].join("\n"), { cause: error });
    }
  });
}

/**
 * Tells whether a failed upgrade left a revision behind. If that can't be seen, the answer is yes.
 */
async function hasMadeRevision(api: ApiServer, release: Release): Promise<boolean> {
  try {
    const newest = (await listRevisions(api, release)).at(-1);
    return newest !== undefined && newest.revision > release.revision;
  } catch {
    return true;
  }
}

async function upgradeRelease(
  settings: ReleaseSettings,
  { report, signal, directory, environment }: Session,
  { api, helm: findHelm }: Access,
  { release, chart, plan: { values } }: HelmUpgrade,
  beside: BesideRollout | undefined,
): Promise<number> {
  const helm = await findHelm();
  const { helmTimeout: timeout } = settings;
  const isInstallation = release.status === NOT_INSTALLED;
  const make = isInstallation ? install : upgrade;
  const limit = { timeout, isInstallation };
  const begin = (failed: AbortSignal) =>
    make(helm, {
      release,
      chart,
      values,
      timeout,
      directory,
      description: originOf(environment),
      signal: AbortSignal.any([signal, failed]),
    });
  const made = await followRollout("upgrade", settings, limit, api, begin, beside?.onPods);
  info(`Release ${release.name} is at revision ${made.version}, chart ${chart.version}.`);
  if (!isInstallation) {
    await readRevision(api, release, made.version - 1).then(
      ({ manifest }) => reportRestarts(report, compareManifests(manifest, made.manifest).restarts),
      // The upgrade succeeded nevertheless.
      (error: unknown) => info(`Which pods Helm replaced is not known. ${messageOf(error)}`),
    );
  }
  return made.version;
}

function reportRestarts(report: RunReport, restarts: ManifestChange["restarts"]): void {
  const workloads = restarts.map(({ kind, name }) => `${kind} ${name}`);
  info(
    workloads.length > 0 ? `Helm replaced the pods of ${workloads.join(", ")}.` : "Helm replaced no pods.",
  );
  if (report.plan) report.plan.restarts = [...new Set([...report.plan.restarts, ...workloads])];
}

/**
 * Rolls back a failed revision before an upgrade. A client-side upgrade compares with the deployed revision
 * (helm pkg/action/upgrade.go, prepareUpgrade): fields that only the failed revision set would stay, and go
 * on failing.
 */
async function rollBackFailed(
  { api, helm }: Access,
  report: RunReport,
  release: Release,
  timeout: number,
): Promise<void> {
  const target = await findLastDeployed(api, release, await listRevisions(api, release));
  if (!target) return;
  info(
    `Revision ${release.revision} failed: the release is rolled back to revision ${target.revision} first.`,
  );
  const by = await helm();
  await changing(report, () => rollback(by, { release, revision: target.revision, timeout, wait: false }));
}

/**
 * Rolls a failed upgrade back. Returns a sentence on how that ended; undefined when there is nothing to undo.
 *
 * @param begun when the upgrade began, by Date.now()
 */
async function undoUpgrade(
  settings: ReleaseSettings,
  session: Session,
  access: Access,
  { release, change }: HelmUpgrade,
  begun: number,
): Promise<string | undefined> {
  const { name } = release;
  const revisions = await listRevisions(access.api, release);
  const newest = revisions.at(-1);
  if (!newest || newest.revision <= release.revision) return undefined;
  const isLeft = newest.status === "failed" || (await isLeftPending(access.api, release, newest, begun));
  if (!isLeft) return undefined;
  const target = await findLastDeployed(access.api, release, revisions);
  if (!target) return `Release ${name} has no deployed revision to roll back to: it stays failed.`;
  await rollBack(settings, session, access, release, target);
  recordOutcome(session.report, change, "taken back");
  return `Release ${name} was rolled back to revision ${target.revision}.`;
}

/**
 * Waits for other runs on the release, one after the other. Rolls back a pending revision that is older than
 * `age`: its run was killed.
 *
 * @param age milliseconds after which a pending revision counts as left behind
 * @throws ActionError when that revision is a first installation, or can't be rolled back
 */
export async function recoverPending(
  settings: ReleaseSettings,
  session: Session,
  access: Access,
  age: number,
): Promise<void> {
  const { release: name, namespace } = settings;
  for (;;) {
    const last = (await listRevisions(access.api, { name, namespace })).at(-1);
    if (!last || !isPending(last)) return;
    const newest = await readRevision(access.api, { name, namespace }, last.revision);
    const { revision, status, updated } = newest;
    const pending = `revision ${revision} of release ${name}, ${status} since ${updated}`;
    const isOld = Date.parse(updated) + age <= Date.now();
    if (isOld && status === "pending-install") {
      // A first installation has nothing to roll back to. Planning again would not help.
      const error = pendingRelease({ name, namespace, revision, status, pendingSince: updated });
      throw new ActionError(error.message, { cause: error });
    }
    if (isOld) {
      info(`No run is at work on ${pending} any more: it is older than ${formatDuration(age)}.`);
      return rollBackPending(settings, session, access, newest, pending);
    }
    await step(session, "Wait for another run on the release", () => {
      info(`Waiting for ${pending}, at most until it is ${formatDuration(age)} old.`);
      return withProgress(
        () => `waiting for ${pending}`,
        () => untilSettled(access.api, { name, namespace }, newest, age, session.signal),
        age,
      );
    });
  }
}

async function rollBackPending(
  settings: ReleaseSettings,
  session: Session,
  access: Access,
  newest: StoredRelease,
  pending: string,
): Promise<void> {
  const { api } = access;
  const { release: name, namespace } = settings;
  const release = await readRelease(api, name, namespace);
  const target = release && (await findLastDeployed(api, release, await listRevisions(api, release)));
  if (!release || !target) {
    throw new ActionError(`Release ${name} in namespace ${namespace} can't be recovered.`, {
      why: `${pending}; no earlier revision was ever deployed.`,
      fix: `\`helm uninstall ${name} -n ${namespace}\` and install again.`,
    });
  }
  const { manifest: after } = await readRevision(api, release, target.revision);
  const serverSide = appliesServerSide((await access.helm()).version, release);
  const undoing = { namespace, before: newest.manifest, after, hooks: [], serverSide, rollsBack: false };
  await refuseMissingRights(api, await rightsOn(api, verbsOfUpgrade(undoing)));
  await changing(session.report, async () => {
    const { status, description } = newest;
    if (status === "pending-rollback" && description === `Rollback to ${target.revision}`) {
      // Helm believes that this revision is in the cluster (helm pkg/action/rollback.go, prepareRollback). A
      // client-side rollback would leave what only the revision before has, which the killed rollback may not
      // have removed yet.
      await api.delete("Secret", namespace, secretOf(release, newest.revision));
    }
    await rollBack(settings, session, access, release, target);
  });
}

/**
 * Tells whether this run's own Helm left a revision pending. A Helm that was killed, or has lost
 * the API server, can't record that it failed. No other run's Helm can have begun meanwhile: it
 * refuses a release that is pending.
 */
async function isLeftPending(
  api: ApiServer,
  release: Release,
  { revision, status }: Pick<Revision, "revision" | "status">,
  begun: number,
): Promise<boolean> {
  if (status !== "pending-upgrade") return false;
  const { updated } = await readRevision(api, release, revision);
  return Date.parse(updated) >= begun;
}

async function rollBack(
  settings: ReleaseSettings,
  session: Session,
  { api, helm }: Access,
  release: Release,
  { revision: target }: Pick<Revision, "revision">,
): Promise<void> {
  session.report.releaseRevision = await step(session, `Roll back to revision ${target}`, async () => {
    const { helmTimeout: timeout } = settings;
    const by = await helm();
    await followRollout("rollback", settings, { timeout, isInstallation: false }, api, () =>
      rollback(by, { release, revision: target, timeout, wait: true }),
    );
    const revision = (await listRevisions(api, release)).at(-1)?.revision;
    info(`Release ${release.name} is at revision ${revision}, the same as revision ${target}.`);
    return revision;
  });
}

/** Logs the state of the release's pods while Helm changes them. */
async function followRollout<T>(
  what: "upgrade" | "rollback",
  { release, namespace }: Pick<ReleaseSettings, "release" | "namespace">,
  limit: RolloutLimit,
  api: ApiServer,
  work: (failed: AbortSignal) => Promise<T>,
  onPods?: BesideRollout["onPods"],
): Promise<T> {
  const rollout = watchRollout(api, namespace, release, limit, onPods);
  try {
    return await withProgress(
      () => `waiting for the rollout of release ${release}: ${rollout.describe()}`,
      () => work(rollout.failed),
      limit.timeout,
    );
  } catch (error) {
    info(`When the ${what} ended, ${rollout.describe()}.`);
    throw error === rollout.failed.reason ? error : naming(rollout.missing(), error);
  } finally {
    await rollout.close();
  }
}

/** Returns the error with the workloads that lack pods: to Helm they are only late. */
function naming(missing: readonly string[], error: unknown): unknown {
  const isFinal = error instanceof ActionError && !(error instanceof RestartError);
  if (missing.length === 0 || !isFinal || error instanceof ReleaseBusyError) return error;
  return new ActionError([error.message, ...missing].join("\n"), { cause: error });
}
