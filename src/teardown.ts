import { info, warning } from "./base/log.ts";
import { bringBackLayer4 } from "./carry-out/bring-back-layer-4.ts";
import { deleteClientPolicy } from "./carry-out/client-policy.ts";
import { forgetHost } from "./carry-out/dns-record.ts";
import { type HelmUpgrade, recoverPending, upgradeOrRollBack } from "./carry-out/release.ts";
import { refuseForbiddenTeardown } from "./carry-out/rights.ts";
import { releaseStaticAddress, removeObjects } from "./carry-out/teardown.ts";
import type { LocalChart } from "./helm/chart.ts";
import { refuseOtherChart } from "./helm/release-state.ts";
import { chartFor } from "./helm/stored-chart.ts";
import type { Settings } from "./inputs/settings.ts";
import { readManifests } from "./kubernetes/manifest-files.ts";
import { type Access, reachCluster } from "./observe/access.ts";
import { observeTeardown } from "./observe/teardown.ts";
import { planTeardown, type TeardownPlan } from "./plan/teardown.ts";
import { describePlan, reportTeardown } from "./report/plan.ts";
import { LATER_UPGRADE, UPGRADE } from "./report/run-report.ts";
import { type Session, step } from "./report/session.ts";

/**
 * Removes the load balancer and everything else that deployments made, and nothing else. With restore_layer4
 * the release gets its former values back, its layer-4 load balancer first. Whatever is gone already is no
 * failure.
 *
 * @throws ActionError for whatever the user can change, CancelledError when the job was cancelled
 */
export async function teardown(settings: Settings, session: Session): Promise<void> {
  session.report.host = settings.host;
  session.report.ingress = `${settings.namespace}/${settings.ingressName}`;
  const access = await step(session, "Tools and cluster", () => reachCluster(settings, session));
  try {
    await removeLoadBalancer(settings, session, access);
  } finally {
    await access.close();
  }
}

async function removeLoadBalancer(settings: Settings, session: Session, access: Access): Promise<void> {
  const { restoreLayer4, recoverPending: age } = settings;
  if (restoreLayer4 && age !== undefined) await recoverPending(settings, session, access, age);

  const { state, plan, chart } = await step(session, "Look and plan", async () => {
    const files = await readManifests(settings.manifests, session.workspace, settings.namespace);
    const manifests = files.map(({ manifest }) => manifest);
    const state = await observeTeardown(settings, access, manifests);
    const plan = planTeardown(settings, state);
    for (const note of plan.notes) info(note);
    for (const text of plan.warnings) warning(text);
    const chart = await chartToRestore(settings, session, access, plan);
    await refuseForbiddenTeardown(settings, session, access, plan, chart);
    session.report.plan = reportTeardown(plan);
    for (const line of describePlan(session.report.plan)) info(line);
    return { state, plan, chart };
  });

  const { restore } = plan;
  const { zone, layer4Addresses } = state;
  const way = restore?.wayBack;
  const layer4 =
    restore && way && chart
      ? await bringBackLayer4(settings, session, access, { zone, release: restore.release, chart, way })
      : { release: restore?.release, addresses: layer4Addresses };
  if (plan.objects.length + plan.manifests.length > 0) {
    await step(session, "Remove the load balancer", () => removeObjects(settings, session, access.api, plan));
  }
  await step(session, "Give back what there is at Google", async () => {
    if (zone) await forgetHost(settings.host, session, zone, state.ingressAddress, layer4.addresses);
    if (plan.clientPolicy) await deleteClientPolicy(session, plan.clientPolicy);
    await releaseStaticAddress(settings, session, state.staticAddress);
  });
  if (restore && layer4.release && chart) {
    const helmUpgrade: HelmUpgrade = {
      title: "Restore the Helm release",
      change: way ? LATER_UPGRADE : UPGRADE,
      release: layer4.release,
      chart,
      plan: restore.upgrade,
    };
    session.report.releaseRevision = await upgradeOrRollBack(settings, session, access, helmUpgrade);
  }
}

/**
 * Fetches the chart for the release's upgrade, so that a missing chart is noticed before anything is removed.
 */
async function chartToRestore(
  settings: Pick<Settings, "chart" | "chartRepository" | "chartLogin">,
  { directory }: Session,
  { helm }: Access,
  { restore }: TeardownPlan,
): Promise<LocalChart | undefined> {
  if (!restore) return undefined;
  const { release } = restore;
  const { chart: name, chartRepository: repository, chartLogin: login } = settings;
  const reference = { chart: name, repository, login, version: release.chartVersion };
  const chart = await chartFor(await helm(), reference, release, directory);
  refuseOtherChart(release, chart.name);
  return chart;
}
