import { allOf } from "./base/async.ts";
import { ActionError, RestartError } from "./base/errors.ts";
import { info, warning } from "./base/log.ts";
import { deleteClientPolicy } from "./carry-out/client-policy.ts";
import { carryOut, type Deployment } from "./carry-out/deployment.ts";
import { forgetHost, introduceHost, pointHost } from "./carry-out/dns-record.ts";
import { checkByDryRun } from "./carry-out/dry-run.ts";
import { leaveLayer4 } from "./carry-out/leave-layer-4.ts";
import { settleBackendConfig, settleLoadBalancer } from "./carry-out/load-balancer.ts";
import { recoverPending } from "./carry-out/release.ts";
import { renderRelease } from "./carry-out/render.ts";
import { replanWhenOvertaken } from "./carry-out/replan.ts";
import { upgradeService } from "./carry-out/service-upgrade.ts";
import { ReleaseBusyError } from "./helm/error.ts";
import type { Release } from "./helm/release.ts";
import { endsProven, type Settings } from "./inputs/settings.ts";
import { requestedValues } from "./inputs/values.ts";
import type { FileManifest } from "./kubernetes/manifest-documents.ts";
import { readManifests } from "./kubernetes/manifest-files.ts";
import { addressRequirement, matchingAddress } from "./loadbalancer/address.ts";
import { explainingBadGateway } from "./loadbalancer/bad-gateway.ts";
import { healthOf } from "./loadbalancer/health.ts";
import { withKept } from "./loadbalancer/keep-settings.ts";
import { whileNothingIsLost } from "./loadbalancer/reasons-to-stop.ts";
import { waitForAddress, waitForBackends } from "./loadbalancer/waits.ts";
import { LoadBalancerWatch } from "./loadbalancer/watch.ts";
import { layer4Of } from "./milvus/layer-4.ts";
import { hasLoadBalancerValues } from "./milvus/values.ts";
import { type Access, reachCluster } from "./observe/access.ts";
import { backendInspector } from "./observe/backends.ts";
import { observe } from "./observe/observe.ts";
import { makePlan } from "./plan/plan.ts";
import { type LoadBalancerEndpoint, proveCertificate } from "./prove/certificate.ts";
import { reportCertificate } from "./report/certificate.ts";
import { describeCounts, hasChanges } from "./report/change-counts.ts";
import { reportDns } from "./report/dns.ts";
import { logFindings } from "./report/findings.ts";
import { LATER_UPGRADE, type PlanReport } from "./report/run-report.ts";
import { type Session, step } from "./report/session.ts";
import { logOverlay } from "./report/values-overlay.ts";
import { startGcloud } from "./tools/gcloud.ts";

/**
 * Puts a Milvus release behind a Google layer-7 load balancer and returns once Milvus answers through it.
 * Beside that, gcloud is installed for later steps of the job.
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

/** @returns the file with the credentials of the inputs, if they have any */
async function deployLoadBalancer(settings: Settings, session: Session): Promise<string | undefined> {
  const { report } = session;
  report.host = settings.host;
  report.ingress = `${settings.namespace}/${settings.ingressName}`;
  const files = await readManifests(settings.manifests, session.workspace, settings.namespace);

  const access = await step(session, "Tools and cluster", () =>
    reachCluster(settings, session, () => preloadProof(settings)),
  );
  report.projectId = access.cluster?.projectId;
  try {
    await replanWhenOvertaken(settings, () => deployOnce(settings, session, access, files));
  } finally {
    await access.close();
  }
  return access.credentialsFile;
}

/** gRPC is a third of this program: a run that will need it loads it while kubectl starts. */
function preloadProof(settings: Pick<Settings, "mode" | "verify" | "waitFor">): void {
  // The step that needs it fails with its error.
  if (settings.mode === "deploy" && isCalled(settings)) import("./prove/milvus.ts").catch(() => {});
}

function isCalled(settings: Pick<Settings, "verify" | "waitFor">): boolean {
  return settings.verify && endsProven(settings);
}

async function deployOnce(
  given: Settings,
  session: Session,
  access: Access,
  files: readonly FileManifest[],
): Promise<void> {
  const { report } = session;
  if (given.mode === "deploy" && given.recoverPending !== undefined) {
    await recoverPending(given, session, access, given.recoverPending);
  }
  const { settings, observed, plan, chart } = await step(session, "Look and plan", async () => {
    const observed = await observe(given, session, access);
    const settings = withKept(given, observed.kept);
    const { plan: release, chart, rendered } = await renderRelease(settings, session, access, observed);
    const plan = makePlan(settings, observed, release, rendered, files);
    logFindings(observed, plan);
    return { settings, observed, plan, chart };
  });
  report.releaseRevision = observed.release.revision;
  report.chartVersion = observed.release.chartVersion;
  report.milvusVersion = observed.milvusVersion;

  // Opened before the first change: a missing right to watch must end the run while nothing is changed.
  const opening =
    settings.mode === "plan" ? undefined : LoadBalancerWatch.open(access.api, plan.loadBalancer.names);
  const [dryRun, watch] = await allOf([
    step(session, "Check before changing anything", () =>
      checkByDryRun(settings, session, access, observed, plan),
    ),
    opening,
  ]).catch(async (error: unknown) => {
    await opening?.then((opened) => opened.close()).catch(() => {});
    throw error;
  });
  if (!watch) {
    if (settings.failOnChanges && report.plan && hasChanges(report.plan)) throw drift(report.plan);
    return;
  }
  try {
    const deployment = { settings, session, access, observed, plan, chart, dryRun, watch };
    const left = await namingLayer4(deployment, () => carryOutAndProve(deployment));
    const { switchOver } = plan.release;
    if (left && switchOver && chart) {
      report.releaseRevision = await upgradeService(settings, session, access, {
        title: "Remove the layer-4 load balancer",
        change: LATER_UPGRADE,
        service: observed.service.metadata.name,
        release: left,
        chart,
        plan: switchOver,
        requested: requestedValues(settings),
      });
    }
    if (plan.release.upgrade && !hasLoadBalancerValues(observed.release.values)) {
      logOverlay(session, settings.release);
    }
  } finally {
    report.backends ??= healthOf(watch.state).backends;
    await watch.close();
  }
}

/** Runs work before the layer-4 load balancer is removed. An error says that clients still have it. */
async function namingLayer4<T>(
  { observed: { service }, plan }: Deployment,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const layer4 = plan.release.switchOver && layer4Of(service);
    const isFinal = error instanceof ActionError && !(error instanceof RestartError);
    if (!layer4 || !isFinal || error instanceof ReleaseBusyError) throw error;
    const where = layer4.addresses.length > 0 ? ` at ${layer4.addresses.join(", ")}` : "";
    throw new ActionError(
      `${error.message}\nThe layer-4 load balancer${where} still stands: it stays until Milvus answers through the new one.`,
      { cause: error },
    );
  }
}

/**
 * @returns the release after the upgrade if clients no longer need a layer-4 load balancer; else undefined
 */
async function carryOutAndProve(deployment: Deployment): Promise<Release | undefined> {
  const { settings, session, observed, plan } = deployment;
  const isToBeProven = endsProven(settings);

  const { reserved, release } = await carryOut(deployment);
  if (plan.release.switchOver && !isToBeProven) {
    const why = `wait_for: ${settings.waitFor} doesn't tell whether Milvus answers`;
    warning(`The layer-4 load balancer stays: ${why}.`);
  }
  await reportCertificate(session, observed.certificate);
  if (settings.waitFor === "none") return undefined;

  const address = await waitUntilReachable(deployment, reserved);
  const dial = settings.verifyAddress ?? `${address}:443`;
  const elsewhere = await introduceHost(settings, session, observed.google.zone, address);
  const dns = reportDns(settings, session, address);
  // Rejects on cancellation; the concurrent wait reports it.
  dns.catch(() => {});
  const isProven = isToBeProven && (await prove(deployment, { address, dial, dns, elsewhere }));
  await dns;
  if (!isProven) {
    if (elsewhere !== undefined) {
      info(
        `The DNS record of ${settings.host} stays at ${elsewhere} until a run has proven the load balancer.`,
      );
    }
    return undefined;
  }
  // Only now: until here the name led clients to the old way in.
  const moved = await pointHost(settings, session, observed.google.zone, address);
  const layer4 = plan.release.switchOver && layer4Of(observed.service);
  return !layer4 || (await leaveLayer4(settings, session, layer4, moved)) ? release : undefined;
}

/** Waits for the load balancer's address. */
async function waitUntilReachable(
  { settings, session, observed, plan, dryRun, watch }: Deployment,
  reserved: string | undefined,
): Promise<string> {
  const { certificate } = observed;
  const ingress = plan.leavingIngress ? undefined : observed.ingress;
  const wait = async () => {
    const isKept = dryRun.objects.some(({ kind, action }) => kind === "Ingress" && action === "keep");
    const wanted = addressRequirement(ingress, settings, reserved);
    const isServed = ingress && matchingAddress(ingress, wanted) !== undefined;
    // Google's controller doesn't watch Secrets, and backs off from an Ingress that has failed.
    if (isKept && (certificate.newPair || !isServed)) await watch.nudge();
    const address = await waitForAddress(watch, wanted, certificate, settings.addressTimeout, session.signal);
    info(`The load balancer's address is ${address}.`);
    return address;
  };
  const address = await step(session, "Wait for the address", wait, "address");
  session.report.address = address;
  return address;
}

/**
 * Waits until Milvus answers through the load balancer. Removes what was needed only until then.
 *
 * @returns whether the load balancer presents its certificate
 */
async function prove(
  { settings, session, access, observed, plan, watch }: Deployment,
  endpoint: LoadBalancerEndpoint,
): Promise<boolean> {
  const { certificate, formerHosts, ingressAddress } = observed;
  const { zone, clientPolicy } = observed.google;
  const { loadBalancer, release } = plan;
  const { preShared } = loadBalancer.certificates;
  const presented = { secretHash: certificate.secretHash, preShared };
  const inspect = backendInspector(settings, access, watch);
  session.report.backends = await step(
    session,
    "Wait for healthy backends",
    () => waitForBackends(watch, presented, inspect, settings.backendsTimeout, session.signal),
    "backends",
  );
  if (!(await proveCertificate(settings, session, watch, endpoint))) {
    if (release.switchOver) info("The layer-4 load balancer stays until the certificate is Active.");
    return false;
  }
  // The call must meet the new certificate. Beside a former one, the load balancer may go on presenting that.
  await settleLoadBalancer(session, access.api, loadBalancer, watch);
  if (clientPolicy && plan.clientPolicy === "delete") {
    await step(session, "Delete the Cloud Armor policy", () => deleteClientPolicy(session, clientPolicy));
  }
  if (zone) for (const host of formerHosts) await forgetHost(host, session, zone, ingressAddress);
  if (isCalled(settings)) {
    const { proveMilvus } = await import("./prove/milvus.ts");
    const loginEnds = loadBalancer.finalBackendConfig !== undefined;
    await step(
      session,
      "Call Milvus through the load balancer",
      () =>
        explainingBadGateway(watch.state, () =>
          whileNothingIsLost(watch, session.signal, (signal) =>
            proveMilvus(settings, { ...session, signal }, { ...certificate, loginEnds }, endpoint.dial),
          ),
        ),
      "pods",
    );
    await settleBackendConfig(session, access.api, loadBalancer);
  }
  return true;
}

function drift(plan: PlanReport): ActionError {
  return new ActionError(
    `A deployment would change something: ${describeCounts(plan)}; nothing was changed.`,
    {
      why: "fail_on_changes is true, and the cluster isn't as these inputs say.",
      fix: "see the plan above; a run with mode: deploy makes it so.",
    },
  );
}
