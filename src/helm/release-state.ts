import { ActionError } from "../base/errors.ts";
import { ReleaseBusyError } from "./error.ts";
import { isPending } from "./history.ts";
import type { Release } from "./release.ts";
import { isUpgradable, NOT_INSTALLED } from "./release.ts";

/**
 * Refuses another chart than the release's own: Helm would replace all objects of the release.
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
 * Returns the error for a release on which another Helm run works, or worked until it was killed.
 *
 * @param otherwise a sentence on what else can be done
 */
export function pendingRelease(
  {
    name,
    namespace,
    revision,
    status,
    pendingSince,
  }: Pick<Release, "name" | "namespace" | "revision" | "status" | "pendingSince">,
  otherwise = "",
): ReleaseBusyError {
  return new ReleaseBusyError(
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
