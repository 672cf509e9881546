import { allOf } from "../base/async.ts";
import type { Job } from "../base/job.ts";
import type { Settings } from "../inputs/settings.ts";
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
import type { Access } from "./access.ts";
import { observeCluster } from "./cluster.ts";
import { observeGoogle } from "./google.ts";
import type { Observed } from "./observed.ts";

/**
 * Reads the release, the load balancer's objects and what belongs to it at Google.
 *
 * @throws ActionError when rights are missing, or something that the run needs doesn't exist
 */
export async function observe(settings: Settings, job: Job, access: Access): Promise<Observed> {
  const [, cluster] = await allOf([
    refuseMissingRights(access.api, deploymentRights(settings)),
    observeCluster(settings, job, access),
  ]);
  const google = await observeGoogle(settings, access, cluster);
  const certificate = await chooseCertificate(settings, cluster, google.sslCertificates);
  return { ...cluster, google, certificate };
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
