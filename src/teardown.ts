import { allOf } from "./base/async.ts";
import { info } from "./base/log.ts";
import { forgetHost } from "./carry-out/dns-record.ts";
import { recoverPending, upgradeOrRollBack } from "./carry-out/release.ts";
import { releaseAddress } from "./gke/compute.ts";
import type { Settings } from "./inputs/settings.ts";
import type { ApiServer } from "./kubernetes/api.ts";
import { deleteAndAwait, type ObjectReference } from "./kubernetes/deletion.ts";
import { reachCluster } from "./observe/access.ts";
import { planTeardown, type TeardownPlan } from "./observe/teardown.ts";
import { type Session, step } from "./report/session.ts";

/** How long an object without finalizers may take to go, in milliseconds. */
const GOING_MS = 60_000;

/**
 * Removes the load balancer and everything else that deployments have made, and nothing that they haven't; with
 * restore_layer4 the release goes back to what it was. What is gone already is no failure.
 *
 * @throws ActionError for whatever the user can change, CancelledError when the job was cancelled
 */
export async function teardown(settings: Settings, session: Session): Promise<void> {
  const { report } = session;
  report.host = settings.host;
  report.ingress = `${settings.namespace}/${settings.ingressName}`;
  const access = await step(session, "Tools and cluster", () => reachCluster(settings, session));
  try {
    if (settings.restoreLayer4 && settings.recoverPending !== undefined) {
      await recoverPending(settings, session, access, settings.recoverPending);
    }
    const plan = await step(session, "Look and plan", () => planTeardown(settings, session, access));
    if (plan.objects.length + plan.manifests.length > 0) {
      await step(session, "Remove the load balancer", () => remove(settings, session, access.api, plan));
    }
    await step(session, "Give back what there is at Google", () => giveBack(settings, session, plan));
    if (plan.restore) {
      const { release, upgrade, chart } = plan.restore;
      const title = "Restore the Helm release";
      const helmUpgrade = { title, release, chart, plan: upgrade };
      report.releaseRevision = await upgradeOrRollBack(settings, session, access, helmUpgrade);
    }
  } finally {
    await access.close();
  }
}

async function remove(
  { addressTimeout }: Settings,
  { report, signal }: Session,
  api: ApiServer,
  { objects, manifests }: TeardownPlan,
): Promise<void> {
  const takeAway = async (object: ObjectReference, limit: number) => {
    // Said beforehand: a deletion that hangs or is cancelled has changed something too.
    report.changed = true;
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
    report.changed = true;
    await api.remove(manifest);
    info(`${manifest.kind} ${manifest.metadata.name} is deleted.`);
  }
}

async function giveBack(
  { host, staticIpName }: Settings,
  session: Session,
  { zone, address, unwanted }: TeardownPlan,
): Promise<void> {
  if (zone) await forgetHost(host, session, zone, address);
  if (unwanted) {
    const { name, scope, project } = unwanted;
    const wasThere = await releaseAddress(scope, name, project);
    if (wasThere) session.report.changed = true;
    info(`The static address ${name} ${wasThere ? "is released" : "is gone already"}.`);
  } else if (staticIpName) {
    info(`The static address ${staticIpName} stays reserved (delete_static_ip: true releases it).`);
  }
}
