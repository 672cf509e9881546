import { allOf } from "../base/async.ts";
import type { Job } from "../base/job.ts";
import { endsProven, type Settings } from "../inputs/settings.ts";
import { Secret } from "../kubernetes/objects.ts";
import { refuseMissingRights } from "../kubernetes/permissions.ts";
import {
  FRONTEND_CONFIG,
  LOAD_BALANCER,
  MANAGED_CERTIFICATE,
  RELEASE,
  type Right,
  reading,
  rightsIn,
} from "../kubernetes/rights.ts";
import { chooseCertificate } from "../loadbalancer/choose-certificate.ts";
import { keptOf, withKept } from "../loadbalancer/keep-settings.ts";
import type { Kept } from "../loadbalancer/kept.ts";
import { refuseUntrusted } from "../loadbalancer/untrusted.ts";
import type { Access } from "./access.ts";
import { findObject, observeCluster, parsed } from "./cluster.ts";
import { observeGoogle } from "./google.ts";
import type { ClusterState, Observed } from "./observed.ts";

/**
 * Reads the release, the load balancer's objects and what belongs to it at Google.
 *
 * @throws ActionError when rights are missing, or something that the run needs doesn't exist
 */
export async function observe(given: Settings, job: Job, access: Access): Promise<Observed> {
  // Begins before the rights are known, because its answers lead to more requests. If both fail, the error
  // about the rights is reported.
  const observing = observeCluster(given, job, access);
  const [, found] = await allOf([refuseMissingRights(access.api, deploymentRights(given)), observing]);
  const kept = keptOf(given, found.service.metadata.name, found.objects, Date.now());
  const settings = withKept(given, kept);
  const cluster = withoutKeptHosts(found, kept);
  const tlsSecret = parsed(Secret, findObject(cluster.objects, "Secret", settings.tlsSecret));
  const google = await observeGoogle(settings, access, cluster);
  const certificate = await chooseCertificate(settings, { ...cluster, tlsSecret }, google.sslCertificates);
  if (settings.verify && endsProven(settings) && certificate.certificate !== undefined) {
    refuseUntrusted(certificate.certificate, settings.host);
  }
  return { ...cluster, tlsSecret, google, kept, certificate };
}

/** A host whose rule stays is no former host. */
function withoutKeptHosts(cluster: ClusterState, { ingress: { rules } }: Kept): ClusterState {
  const formerHosts = cluster.formerHosts.filter((former) => !rules.some(({ host }) => host === former));
  return { ...cluster, formerHosts };
}

/** Returns the rights that every deployment with these settings needs, whatever there is in the cluster. */
export function deploymentRights({
  namespace,
  certificate,
  frontendConfig,
  mode,
}: Pick<Settings, "namespace" | "certificate" | "frontendConfig" | "mode">): Right[] {
  const rights = rightsIn(
    namespace,
    RELEASE,
    LOAD_BALANCER,
    certificate.kind === "google-managed" ? MANAGED_CERTIFICATE : [],
    frontendConfig ? FRONTEND_CONFIG : [],
  );
  return mode === "plan" ? reading(rights) : rights;
}
