import { pause } from "../base/async.ts";
import { formatDuration } from "../base/duration.ts";
import { info, warning } from "../base/log.ts";
import { withProgress } from "../base/progress.ts";
import type { GoogleProject } from "../gke/google-api.ts";
import {
  changeSecurityPolicy,
  createSecurityPolicy,
  deleteSecurityPolicy,
} from "../gke/security-policies.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ClientPolicy } from "../observe/client-policy.ts";
import { listed, type PolicyAction } from "../plan/client-policy.ts";
import {
  changing,
  changingAtomically,
  objectChangeKey,
  type RunReport,
  recording,
  recordOutcome,
} from "../report/run-report.ts";
import type { Session } from "../report/session.ts";

/** How long Google's controller may take to detach a policy, in milliseconds. */
const DETACHING_MS = 300_000;
const PAUSE_MS = 2000;

/**
 * Makes the Cloud Armor policy as allowed_ranges says. It must exist before the BackendConfig names it.
 *
 * @throws ActionError when Google refuses
 */
export async function keepClientPolicy(
  { allowedRanges: ranges }: Pick<Settings, "allowedRanges">,
  { report }: Session,
  policy: ClientPolicy | undefined,
  action: PolicyAction | undefined,
): Promise<void> {
  if (!policy) return;
  const { name, description, live, project } = policy;
  if (action === "create") {
    await recording(report, changeKey(name), () =>
      changingAtomically(
        report,
        () => createSecurityPolicy({ name, description, ranges }, project),
        () => true,
      ),
    );
    info(`The Cloud Armor policy ${name} is made: it admits ${listed(ranges)}.`);
  }
  if (action === "change" && live) {
    await recording(report, changeKey(name), () =>
      changing(report, () => changeSecurityPolicy(live, ranges, project)),
    );
    info(`The Cloud Armor policy ${name} is changed: it admits ${listed(ranges)}.`);
  }
}

function changeKey(name: string): string {
  return objectChangeKey({ kind: "Cloud Armor policy", name });
}

/**
 * Deletes the Cloud Armor policy, once no load balancer has it any more. A policy that stays attached for
 * long is left with a warning: it costs little, and the next run deletes it.
 *
 * @throws ActionError when Google refuses
 */
export async function deleteClientPolicy(
  { report, signal }: Session,
  { name, project }: Pick<ClientPolicy, "name" | "project">,
): Promise<void> {
  const outcome = await recording(report, changeKey(name), () =>
    withProgress(
      () => `waiting for Google to detach the Cloud Armor policy ${name}`,
      () => deleteOnceDetached(name, project, report, signal),
      DETACHING_MS,
    ),
  );
  if (outcome === "in use") {
    recordOutcome(report, changeKey(name), undefined);
    warning(
      `The Cloud Armor policy ${name} stays: a load balancer still has it after ${formatDuration(DETACHING_MS)}. Run again, or delete it: gcloud compute security-policies delete ${name} --project=${project.projectId}.`,
    );
  } else {
    info(`The Cloud Armor policy ${name} is ${outcome === "deleted" ? "deleted" : "gone already"}.`);
  }
}

/** @returns `in use` at the limit */
async function deleteOnceDetached(
  name: string,
  project: GoogleProject,
  report: RunReport,
  signal: AbortSignal,
): Promise<"deleted" | "missing" | "in use"> {
  const giveUp = performance.now() + DETACHING_MS;
  for (;;) {
    const outcome = await changingAtomically(
      report,
      () => deleteSecurityPolicy(name, project),
      (deletion) => deletion === "deleted",
    );
    if (outcome !== "in use" || performance.now() >= giveUp) return outcome;
    await pause(PAUSE_MS, signal);
  }
}
