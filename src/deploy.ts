import { warning } from "@actions/core";
import { messageOf, OvertakenError } from "./base/errors.ts";
import { info } from "./base/log.ts";
import { reserveStaticAddress } from "./carry-out/address.ts";
import { forgetHost, pointHost } from "./carry-out/dns-record.ts";
import { checkByDryRun, type DryRun } from "./carry-out/dry-run.ts";
import { applyLoadBalancer, settleLoadBalancer } from "./carry-out/load-balancer.ts";
import { recoverPending, upgradeOrRollBack } from "./carry-out/release.ts";
import { ReleaseBusyError } from "./helm/error.ts";
import { endsProven, type Settings } from "./inputs/settings.ts";
import type { FileManifest } from "./kubernetes/manifest-documents.ts";
import { readManifests } from "./kubernetes/manifest-files.ts";
import { addressRequirement, matchingAddress } from "./loadbalancer/address.ts";
import { healthOf } from "./loadbalancer/health.ts";
import { waitForAddress, waitForBackends } from "./loadbalancer/waits.ts";
import { LoadBalancerWatch } from "./loadbalancer/watch.ts";
import { type Access, reachCluster } from "./observe/access.ts";
import { observe } from "./observe/observe.ts";
import type { Observed } from "./observe/observed.ts";
import type { Plan } from "./plan/plan.ts";
import { makePlan } from "./plan/plan.ts";
import { proveCertificate, proveMilvus, reportCertificate, reportDns } from "./prove/proof.ts";
import { logFindings } from "./report/findings.ts";
import { changing } from "./report/run-report.ts";
import { type Session, step } from "./report/session.ts";
import { startGcloud } from "./tools/gcloud.ts";

/** How often another run may be faster: each time it was waited for to its end. */
const BUSY_TRIES = 10;

/**
 * Puts a Milvus release behind a Google layer-7 load balancer and returns once Milvus answers through it. gcloud, which
 * only later steps of the job may want, is looked for meanwhile.
 *
 * @throws ActionError for whatever the user can change, CancelledError when the job was cancelled
 */
export async function deploy(settings: Settings, session: Session): Promise<void> {
  const { gcloudVersion: version, gcloudMirror: mirror, gcloudSha256: sha256 } = settings;
  const gcloud = startGcloud({ version, mirror, sha256, signal: session.signal });
  let credentialsFile: string | undefined;
  try {
    credentialsFile = await deployLoadBalancer(settings, session);
  } catch (error) {
    await gcloud.abandon();
    throw error;
  }
  await gcloud.finish(credentialsFile);
}

/** @returns the file with the credentials that came by inputs, if any */
async function deployLoadBalancer(settings: Settings, session: Session): Promise<string | undefined> {
  const { report } = session;
  report.host = settings.host;
  report.ingress = `${settings.namespace}/${settings.ingressName}`;
  const files = await readManifests(settings.manifests, session.workspace, settings.namespace);

  const access = await step(session, "Tools and cluster", () => reachCluster(settings, session));
  try {
    await untilNotBusy(settings, () => deployOnce(settings, session, access, files));
  } finally {
    await access.close();
  }
  return access.credentialsFile;
}

/** Looks and plans anew when another run was faster; one that is still at work only where it is to be waited for. */
async function untilNotBusy({ recoverPending }: Settings, work: () => Promise<void>): Promise<void> {
  for (let triesLeft = BUSY_TRIES; ; triesLeft -= 1) {
    try {
      return await work();
    } catch (error) {
      const isBusy = error instanceof ReleaseBusyError && recoverPending !== undefined;
      if (triesLeft === 0 || !(isBusy || error instanceof OvertakenError)) throw error;
      info(messageOf(error));
    }
  }
}

async function deployOnce(
  settings: Settings,
  session: Session,
  access: Access,
  files: readonly FileManifest[],
): Promise<void> {
  const { report } = session;
  if (settings.mode === "deploy" && settings.recoverPending !== undefined) {
    await recoverPending(settings, session, access, settings.recoverPending);
  }
  const { observed, plan } = await step(session, "Look and plan", async () => {
    const observed = await observe(settings, session, access);
    const plan = makePlan(settings, observed, files);
    logFindings(observed, plan);
    return { observed, plan };
  });
  report.releaseRevision = observed.release.revision;
  report.chartVersion = observed.release.chartVersion;
  report.milvusVersion = observed.release.appVersion;

  const dryRun = await step(session, "Check before changing anything", () =>
    checkByDryRun(settings, session, access, observed, plan),
  );
  if (settings.mode === "plan") return;

  // Opened before the first change: whoever may not watch what is to be waited for learns it now.
  const watch = await LoadBalancerWatch.open(access.api, plan.loadBalancer.names);
  try {
    await bringUp(settings, session, access, observed, plan, dryRun, watch);
  } finally {
    report.backends ??= healthOf(watch.state).backends;
    await watch.close();
  }
}

/** Changes what is to be changed, waits for it, and proves that it works. */
async function bringUp(
  settings: Settings,
  session: Session,
  access: Access,
  observed: Observed,
  plan: Plan,
  { chart, objects }: DryRun,
  watch: LoadBalancerWatch,
): Promise<void> {
  const { report, signal } = session;
  const { google, certificate } = observed;
  const { upgrade, switchOver } = plan.release;
  const isProven = endsProven(settings);
  // gRPC is a third of this program: it is loaded while there is something to wait for.
  const verifier = isProven && settings.verify ? import("./milvus/verify.ts") : undefined;

  const reserved = await reserveStaticAddress(settings, session, access, google.reservedAddress);
  if (reserved !== undefined) await pointHost(settings, session, google.zone, reserved);

  let { release } = observed;
  if (upgrade && chart) {
    const title = release.revision === 0 ? "Install the Helm release" : "Upgrade the Helm release";
    const revision = await upgradeOrRollBack(settings, session, access, {
      title,
      release,
      chart,
      plan: upgrade,
    });
    release = { ...release, revision, status: "deployed" };
    report.releaseRevision = revision;
    report.chartVersion = chart.version;
  }
  watch.forgetWarnings();
  if (objects.some(({ action }) => action !== "keep" && action !== "delete")) {
    await step(session, "Apply the manifests", () =>
      changing(report, () => applyLoadBalancer(settings, access.api, observed, plan, signal)),
    );
  }
  if (switchOver && !isProven) {
    warning(
      `The layer-4 load balancer stays: wait_for: ${settings.waitFor} doesn't tell whether Milvus answers.`,
    );
  }
  await reportCertificate(settings, session, certificate);
  if (settings.waitFor === "none") return;

  const address = await step(session, "Wait for the address", async () => {
    // The controller watches no Secrets, and backs off from an Ingress that has failed: ask it to look now.
    const kept = objects.some(({ kind, action }) => kind === "Ingress" && action === "keep");
    const wanted = addressRequirement(observed.ingress, settings, reserved);
    const isServed = observed.ingress && matchingAddress(observed.ingress, wanted) !== undefined;
    if (kept && (certificate.newPair || !isServed)) await watch.nudge();
    const address = await waitForAddress(watch, wanted, settings.addressTimeout, signal);
    info(`The load balancer's address is ${address}.`);
    return address;
  });
  report.address = address;
  if (reserved === undefined) await pointHost(settings, session, google.zone, address);
  const dns = reportDns(settings, session, address);
  // It fails when the job is cancelled, of which the wait beside it tells.
  dns.catch(() => {});
  if (!isProven) return void (await dns);

  const { preShared } = plan.loadBalancer.certificates;
  const presented = { secretHash: certificate.secretHash, preShared };
  report.backends = await step(session, "Wait for healthy backends", () =>
    waitForBackends(watch, presented, settings.backendsTimeout, signal),
  );
  if (!(await proveCertificate(settings, session, plan, watch, address, dns))) {
    if (switchOver) info("The layer-4 load balancer stays until the certificate is Active.");
    return;
  }
  // The call must find the new certificate, beside which the load balancer may go on presenting a former one.
  await settleLoadBalancer(session, access.api, plan.loadBalancer, watch);
  const { zone } = google;
  if (zone)
    for (const host of observed.formerHosts) await forgetHost(host, session, zone, observed.ingressAddress);
  if (verifier) {
    const { verify } = await verifier;
    await step(session, "Call Milvus through the load balancer", () =>
      proveMilvus(verify, settings, session, certificate),
    );
  }
  await dns;
  if (switchOver && chart) {
    const title = "Take the layer-4 load balancer away";
    const helmUpgrade = { title, release, chart, plan: switchOver };
    report.releaseRevision = await upgradeOrRollBack(settings, session, access, helmUpgrade);
  }
}
