import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { warning } from "@actions/core";
import { info } from "../base/log.ts";
import type { Settings } from "../inputs/settings.ts";
import { authorityIn, expiryOf, trustFor } from "../loadbalancer/certificate.ts";
import type { ChosenCertificate } from "../loadbalancer/choose-certificate.ts";
import { type DnsResult, dnsAdvice, type HostAddresses, lookUpHost } from "../loadbalancer/dns.ts";
import { waitForTrustedCertificate } from "../loadbalancer/handshake.ts";
import { LOOK_UP_MS, waitForCertificate } from "../loadbalancer/wait-for-certificate.ts";
import type { LoadBalancerWatch } from "../loadbalancer/watch.ts";
import type { verify as Verify } from "../milvus/verify.ts";
import type { Plan } from "../plan/plan.ts";
import { type Session, step } from "../report/session.ts";

/** Longest wait for DNS, in milliseconds, where it is only told what it says. */
const BRIEF_LOOK_UP_MS = 3000;

/** Tells what is known of the certificate, and writes it to where later steps of the job find it. */
export async function reportCertificate(
  { certificate: { kind } }: Settings,
  { report, directory }: Session,
  { certificate }: ChosenCertificate,
): Promise<void> {
  report.certificateStatus = "Provisioning";
  if (certificate === undefined) return;
  report.certificateExpires = expiryOf(certificate);
  const authority = kind === "self-managed" ? authorityIn(certificate) : undefined;
  if (authority === undefined) return;
  report.caCertificate = authority;
  report.caCertificateFile = join(directory, "ca.pem");
  await writeFile(report.caCertificateFile, authority);
}

/** Looks up where the host leads, says so when it is elsewhere, and returns what it has found. */
export async function reportDns(
  { host, dnsZone: zone, certificate }: Settings,
  { environment, signal }: Session,
  address: string,
): Promise<DnsResult<HostAddresses>> {
  const limit = certificate.kind === "google-managed" ? LOOK_UP_MS : BRIEF_LOOK_UP_MS;
  const found = await lookUpHost(host, environment, signal, limit);
  const advice = dnsAdvice(host, address, found, { zone });
  // A client can do without DNS, by the address and server_name; but not with a name that leads it elsewhere. The wait
  // for a certificate of Google's says it itself.
  if (!advice) info(`DNS leads ${host} to the load balancer.`);
  else if (found.state === "resolved" && !zone && certificate.kind !== "google-managed") warning(advice);
  else info(advice);
  return found;
}

/** Waits for a certificate of Google's, and returns whether the load balancer presents what it is to. */
export async function proveCertificate(
  settings: Settings,
  session: Session,
  plan: Plan,
  watch: LoadBalancerWatch,
  address: string,
  dns: Promise<DnsResult<HostAddresses>>,
): Promise<boolean> {
  const { report, environment, signal } = session;
  const { certificateTimeout: limit, waitFor, dnsZone } = settings;
  if (settings.certificate.kind === "google-managed") {
    const insist = waitFor === "certificate" || dnsZone !== undefined;
    const found = await dns;
    const isActive = await step(session, "Wait for the certificate", () =>
      waitForCertificate(watch, { address, found, insist, limit, environment, signal }),
    );
    const { managedCertificate } = watch.state;
    if (managedCertificate.state === "present") {
      report.certificateExpires = managedCertificate.object.status.expireTime || undefined;
    }
    if (!isActive) return false;
    // Google takes a while to present what it has issued: a former certificate must be served until then.
    if (plan.loadBalancer.finalIngress && settings.verify) {
      await step(session, "Wait for the certificate to be presented", () =>
        waitForTrustedCertificate(
          dialled(settings, address),
          settings.host,
          settings.backendsTimeout,
          signal,
        ),
      );
    }
  }
  report.certificateStatus = "Active";
  return true;
}

/** Calls Milvus through the load balancer until it answers. */
export async function proveMilvus(
  verify: typeof Verify,
  settings: Settings,
  { report, signal }: Session,
  { certificate }: ChosenCertificate,
): Promise<void> {
  const { version, reasons } = await verify({
    address: dialled(settings, report.address ?? ""),
    host: settings.host,
    ca: certificate && trustFor(certificate),
    token: settings.milvusToken,
    limit: settings.backendsTimeout,
    signal,
  });
  if (version === undefined)
    info("Milvus answers, and asks for a token: set milvus_token to have its version and health checked.");
  else info(`Milvus ${version} answers through the load balancer.`);
  if (reasons.length > 0) warning(`Milvus answers, but calls itself unhealthy: ${reasons.join("; ")}`);
  report.milvusVersion = version ?? report.milvusVersion ?? "";
}

/** Returns what is dialled to reach the load balancer. */
function dialled({ verifyAddress }: Settings, address: string): string {
  return verifyAddress ?? `${address}:443`;
}
