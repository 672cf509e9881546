import { info } from "../base/log.ts";
import type { LocalChart } from "../helm/chart.ts";
import type { Release } from "../helm/release.ts";
import type { Settings } from "../inputs/settings.ts";
import { waitUntilGone } from "../loadbalancer/waits.ts";
import type { LoadBalancerWatch } from "../loadbalancer/watch.ts";
import type { Access } from "../observe/access.ts";
import type { Observed } from "../observe/observed.ts";
import type { ObjectChange } from "../plan/changes.ts";
import type { Plan } from "../plan/plan.ts";
import { changing, UPGRADE } from "../report/run-report.ts";
import { type Session, step } from "../report/session.ts";
import { reserveStaticAddress } from "./address.ts";
import { type BesideRollout, loadBalancerBesideRollout } from "./beside-rollout.ts";
import { keepClientPolicy } from "./client-policy.ts";
import { introduceHost } from "./dns-record.ts";
import type { DryRun } from "./dry-run.ts";
import { type Applied, applyHealthCheck, applyLoadBalancer } from "./load-balancer.ts";
import { upgradeOrRollBack } from "./release.ts";

/** A run whose plan is made and checked. */
export interface Deployment {
  settings: Settings;
  session: Session;
  access: Access;
  observed: Observed;
  plan: Plan;
  /** Undefined when the release stays as it is. */
  chart: LocalChart | undefined;
  dryRun: DryRun;
  watch: LoadBalancerWatch;
}

/**
 * Carries the plan out: the changes at Google, the Helm upgrade, the load balancer's objects.
 *
 * @returns the reserved address, if there is one, and the release as it is afterwards
 */
export async function carryOut(
  deployment: Deployment,
): Promise<{ reserved: string | undefined; release: Release }> {
  const { settings, session, access, observed, plan, dryRun, watch } = deployment;
  const { zone, reservedAddress, clientPolicy } = observed.google;
  const reserved = await reserveStaticAddress(settings, session, access, reservedAddress);
  if (reserved !== undefined) await introduceHost(settings, session, zone, reserved);
  await keepClientPolicy(settings, session, clientPolicy, plan.clientPolicy);

  const applied: Applied = new Map();
  const apply = () => {
    watch.forgetWarnings();
    return changing(session.report, () =>
      applyLoadBalancer(settings, session, access.api, plan, dryRun.objects, applied),
    );
  };
  const { release, beside } = await upgradeRelease(deployment, applied, apply);
  const leaving = plan.leavingIngress;
  if (leaving) {
    await step(
      session,
      "Wait until the chart's Ingress is gone",
      () => waitUntilGone(watch, leaving, settings.addressTimeout, session.signal),
      "address",
    );
  }
  const applyRest = async () => {
    if (await beside?.settled()) info("The load balancer's objects were applied beside the rollout.");
    else await apply();
  };
  if (dryRun.objects.some(isChanging)) await step(session, "Apply the manifests", applyRest, "address");
  else watch.forgetWarnings();
  return { reserved, release };
}

/** @returns the release as it is afterwards, and the work that was begun beside the upgrade */
async function upgradeRelease(
  { settings, session, access, observed, plan, chart, dryRun: { objects } }: Deployment,
  applied: Applied,
  apply: () => Promise<void>,
): Promise<{ release: Release; beside: BesideRollout | undefined }> {
  const { report } = session;
  const { release, ingress } = observed;
  const { awaitedPods, rendered } = plan;
  const { upgrade } = plan.release;
  if (!upgrade || !chart) return { release, beside: undefined };
  const isServing = ingress !== undefined && plan.leavingIngress === undefined;
  if (isServing && objects.some((change) => change.kind === "BackendConfig" && isChanging(change))) {
    await step(session, "Mend the health check", () =>
      changing(report, () => applyHealthCheck(session, access.api, plan, applied)),
    );
  }
  const title = release.revision === 0 ? "Install the Helm release" : "Upgrade the Helm release";
  const helmUpgrade = { title, change: UPGRADE, release, chart, plan: upgrade, rendered } as const;
  const beside =
    awaitedPods && loadBalancerBesideRollout(awaitedPods, { report, api: access.api }, applied, apply);
  const revision = await upgradeOrRollBack(settings, session, access, helmUpgrade, beside);
  report.releaseRevision = revision;
  report.chartVersion = chart.version;
  report.milvusVersion = rendered?.milvusVersion ?? report.milvusVersion ?? "";
  return { release: { ...release, revision, status: "deployed" }, beside };
}

function isChanging({ action }: ObjectChange): boolean {
  return action !== "keep" && action !== "delete";
}
