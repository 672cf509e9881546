import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { info, setSecret, warning } from "@actions/core";
import { type Access, reachCluster } from "./access.ts";
import { allOf } from "./async.ts";
import { fetchChart, type LocalChart } from "./helm/upgrade.ts";
import type { Settings } from "./inputs.ts";
import type { Secret } from "./kubernetes/objects.ts";
import { refuseMissingRights } from "./kubernetes/permissions.ts";
import {
  certificatesIn,
  expiryOf,
  type KeyPair,
  makeCertificate,
  problemOf,
  trustFor,
} from "./loadbalancer/certificate.ts";
import { Front } from "./loadbalancer/front.ts";
import { addressOf, healthOf, waitForAddress, waitForBackends } from "./loadbalancer/waits.ts";
import type { verify as Verify } from "./milvus/verify.ts";
import { type Observed, observe } from "./observe.ts";
import { makePlan, type ObjectChange, objectChanges, type Plan } from "./plan.ts";
import type { PlanReport } from "./report/known.ts";
import { type Session, step } from "./session.ts";
import { startGcloud } from "./tools/gcloud.ts";
import { recoverPending, upgradeOrRollBack } from "./upgrade.ts";

/**
 * Puts a Milvus release behind a Google layer-7 load balancer and returns once Milvus answers through it. gcloud, which
 * only later steps of the job may want, is looked for meanwhile.
 *
 * @throws ActionError for whatever the user can change, CancelledError when the job was cancelled
 */
export async function deploy(settings: Settings, session: Session): Promise<void> {
  const { gcloudVersion: version, gcloudMirror: mirror, gcloudSha256: sha256 } = settings;
  const gcloud = startGcloud({ version, mirror, sha256, signal: session.signal });
  try {
    await deployLoadBalancer(settings, session);
  } catch (error) {
    await gcloud.abandon();
    throw error;
  }
  await gcloud.finish(session.credentialsFile);
}

async function deployLoadBalancer(settings: Settings, session: Session): Promise<void> {
  const { known, signal } = session;
  if (settings.milvusToken) setSecret(settings.milvusToken);
  known.host = settings.host;
  known.ingress = `${settings.namespace}/${settings.ingressName}`;

  const access = await step(session, "Tools and cluster", () => reachCluster(settings, session));
  try {
    const { api, helm } = access;
    if (settings.mode === "deploy" && settings.recoverPending !== undefined) {
      await recoverPending(settings, session, access, settings.recoverPending);
    }
    const { observed, certificate, plan } = await step(session, "Look and plan", async () => {
      const [, observed] = await allOf([
        refuseMissingRights(api, settings.namespace),
        observe(settings, api, helm),
      ]);
      const certificate = await chooseCertificate(settings, observed.tlsSecret);
      const plan = makePlan(settings, observed, certificate.isNew ? certificate.pair : undefined);
      describeObserved(observed, plan);
      return { observed, certificate, plan };
    });
    known.releaseRevision = observed.release.revision;
    known.chartVersion = observed.release.chartVersion;
    known.milvusVersion = observed.release.appVersion;

    const { chart, objects } = await step(session, "Check before changing anything", () =>
      rehearse(settings, session, access, observed, plan),
    );
    if (settings.mode === "plan") return;

    // gRPC is a third of this program: it is loaded while there is something to wait for.
    const verification =
      settings.waitFor === "ready" && settings.verify ? import("./milvus/verify.ts") : undefined;
    // Opened before the first change: whoever may not watch what is to be waited for learns it now.
    const front = await Front.open(api, plan.names);
    try {
      if (plan.upgrade && chart) {
        // Said beforehand: an upgrade that fails or is cancelled has changed something too.
        known.changed = true;
        known.releaseRevision = await upgradeOrRollBack(settings, session, access, observed, plan, chart);
        known.chartVersion = chart.version;
      }
      front.forgetComplaints();
      if (objects.some(({ action }) => action !== "keep")) {
        known.changed = true;
        await step(session, "Apply the manifests", async () => {
          for (const manifest of plan.manifests) await api.apply(manifest, { dryRun: false });
        });
      }
      await reportCertificate(session, certificate.pair);
      if (settings.waitFor === "none") return;

      known.address = await step(session, "Wait for the address", async () => {
        // The controller watches no Secrets, and backs off from an Ingress that has failed: ask it to look now.
        const kept = objects.some(({ kind, action }) => kind === "Ingress" && action === "keep");
        const served = observed.ingress && addressOf(observed.ingress) !== undefined;
        if (kept && (certificate.isNew || !served)) await front.nudge();
        const address = await waitForAddress(front, settings.addressTimeout, signal);
        info(`The load balancer's address is ${address}.`);
        return address;
      });
      if (settings.waitFor === "address") return;

      known.backends = await step(session, "Wait for healthy backends", () =>
        waitForBackends(front, settings.backendsTimeout, signal),
      );
      known.certificateStatus = "Active";
      const verifier = await verification;
      if (verifier) {
        await step(session, "Call Milvus through the load balancer", () =>
          verifyFront(verifier.verify, settings, session, certificate.pair),
        );
      }
    } finally {
      known.backends ??= healthOf(front.state).backends;
      await front.close();
    }
  } finally {
    await access.close();
  }
}

/** Keeps the certificate in the cluster while it is good, else makes one. */
async function chooseCertificate(
  settings: Settings,
  secret: Secret | undefined,
): Promise<{ pair: KeyPair; isNew: boolean }> {
  const now = Date.now();
  if (secret) {
    const decode = (key: string) => Buffer.from(secret.data[key] ?? "", "base64").toString();
    const pair = { certificate: certificatesIn(decode("tls.crt")), privateKey: decode("tls.key") };
    const problem = problemOf(pair, settings.host, now);
    if (!problem) {
      info(
        `The certificate in Secret ${settings.tlsSecret} stays: it is good until ${expiryOf(pair.certificate)}.`,
      );
      return { pair, isNew: false };
    }
    info(`The certificate in Secret ${settings.tlsSecret} is replaced: ${problem}.`);
  }
  return { pair: await makeCertificate(settings.host, now), isNew: true };
}

/** Writes the certificate to where later steps of the job find it. */
async function reportCertificate({ known, directory }: Session, { certificate }: KeyPair): Promise<void> {
  known.certificateStatus = "Provisioning";
  known.certificateExpires = expiryOf(certificate);
  known.caCertificate = certificate;
  known.caCertificateFile = join(directory, "ca.pem");
  await writeFile(known.caCertificateFile, certificate);
}

/** Finds out everything that could be refused before anything is changed, and reports what will change. */
async function rehearse(
  settings: Settings,
  session: Session,
  { api, helm }: Access,
  observed: Observed,
  plan: Plan,
): Promise<{ chart: LocalChart | undefined; objects: ObjectChange[] }> {
  const reference = {
    chart: settings.chart,
    repository: settings.chartRepository,
    version: plan.chartVersion,
  };
  const [rehearsed, chart] = await allOf([
    allOf(plan.manifests.map((manifest) => api.apply(manifest, { dryRun: true }))),
    plan.upgrade ? fetchChart(helm, reference, session.directory) : Promise.resolve(undefined),
  ]);
  const objects = objectChanges(observed.objects, rehearsed);
  session.known.plan = reportPlan(plan, objects);
  for (const line of describePlan(session.known.plan)) info(line);
  return { chart, objects };
}

/** Only the values that this action itself sets are shown: any other may be a secret. */
function reportPlan(plan: Plan, objects: ObjectChange[]): PlanReport {
  return {
    upgrade: plan.upgrade?.reasons ?? [],
    values: (plan.upgrade?.changes ?? []).map(({ path, before, after }) =>
      /^service\.(type|annotations\."cloud\.google\.com)/.test(path) ? { path, before, after } : { path },
    ),
    objects,
  };
}

function describeObserved({ release, service }: Observed, { port }: Plan): void {
  const { name, namespace, revision, status, chart, chartVersion, appVersion } = release;
  info(
    `Release ${namespace}/${name}: revision ${revision}, ${status}, chart ${chart} ${chartVersion}, Milvus ${appVersion}.`,
  );
  info(
    `Service ${namespace}/${service.metadata.name}: ${service.spec.type}, gRPC on port ${port.port} (${port.name}).`,
  );
}

function describePlan({ upgrade, objects }: PlanReport): string[] {
  return [
    upgrade.length > 0
      ? `The release is upgraded:\n- ${upgrade.join("\n- ")}`
      : "The release is as it should be: no Helm upgrade.",
    ...objects.map(({ kind, name, action }) => `${kind} ${name}: ${action}`),
  ];
}

async function verifyFront(
  verify: typeof Verify,
  settings: Settings,
  { known, signal }: Session,
  pair: KeyPair,
): Promise<void> {
  const { version, reasons } = await verify({
    address: settings.verifyAddress ?? `${known.address}:443`,
    host: settings.host,
    ca: trustFor(pair.certificate),
    token: settings.milvusToken,
    limit: settings.backendsTimeout,
    signal,
  });
  if (version === undefined)
    info("Milvus answers, and asks for a token: set milvus_token to have its version and health checked.");
  else info(`Milvus ${version} answers through the load balancer.`);
  if (reasons.length > 0) warning(`Milvus answers, but calls itself unhealthy: ${reasons.join("; ")}`);
  known.milvusVersion = version ?? known.milvusVersion ?? "";
}
