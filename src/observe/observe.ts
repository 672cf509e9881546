import { allOf } from "../base/async.ts";
import type { Job } from "../base/job.ts";
import type { Settings } from "../inputs/settings.ts";
import {
  DEPLOY,
  FRONTEND_CONFIG,
  MANAGED_CERTIFICATE,
  type Rights,
  reading,
  refuseMissingRights,
} from "../kubernetes/permissions.ts";
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
    refuseMissingRights(access.api, settings.namespace, rightsFor(settings)),
    observeCluster(settings, job, access),
  ]);
  const google = await observeGoogle(settings, access, cluster);
  const certificate = await chooseCertificate(settings, cluster, google.sslCertificates);
  return { ...cluster, google, certificate };
}

function rightsFor({
  certificate,
  frontendConfig,
  mode,
}: Pick<Settings, "certificate" | "frontendConfig" | "mode">): Rights[] {
  const rights = [
    ...DEPLOY,
    ...(certificate.kind === "google-managed" ? MANAGED_CERTIFICATE : []),
    ...(frontendConfig ? FRONTEND_CONFIG : []),
  ];
  return mode === "plan" ? reading(rights) : rights;
}
