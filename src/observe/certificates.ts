import { allOf } from "../base/async.ts";
import { getSslCertificate, proxyOnlySubnets } from "../gke/compute.ts";
import type { SslCertificate } from "../gke/compute-resources.ts";
import { endsProven, type Settings } from "../inputs/settings.ts";
import { problemOfPreShared } from "../loadbalancer/pre-shared-certificates.ts";
import { problemOfSubnets } from "../loadbalancer/proxy-only-subnets.ts";
import type { Access } from "./access.ts";
import { projectIfAny, regionOf, scopeOf } from "./scope.ts";

/**
 * Returns the pre-shared certificates at Google that the inputs name; undefined when they name none, or
 * Google can't be asked.
 *
 * @throws ActionError when a certificate doesn't exist or isn't for the host
 */
export async function observePreShared(
  settings: Pick<Settings, "certificate" | "loadBalancer" | "host" | "waitFor" | "cluster" | "google">,
  access: Access,
): Promise<SslCertificate[] | undefined> {
  if (settings.certificate.kind !== "pre-shared") return undefined;
  const { names } = settings.certificate;
  const project = await projectIfAny(settings, access, names.join(", "));
  if (!project) return undefined;
  const scope = scopeOf(settings);
  const found = await allOf(names.map((name) => getSslCertificate(scope, name, project)));
  const problem = problemOfPreShared(
    names.map((name, index) => ({ name, certificate: found[index] })),
    {
      host: settings.host,
      projectId: project.projectId,
      now: Date.now(),
      mustBeIssued: endsProven(settings),
    },
  );
  if (problem) throw problem;
  return found.flatMap((certificate) => certificate ?? []);
}

/**
 * Checks the network for a proxy-only subnet, which an internal load balancer needs for its proxies.
 *
 * @throws ActionError when the cluster's network has no active proxy-only subnet in the region
 */
export async function refuseMissingSubnet(
  settings: Pick<Settings, "loadBalancer" | "google">,
  access: Access,
): Promise<void> {
  const network = access.cluster?.network;
  if (settings.loadBalancer !== "internal" || !network) return;
  const region = regionOf(settings.google.location ?? "");
  const problem = problemOfSubnets(
    await proxyOnlySubnets(region, network, await access.project()),
    region,
    network,
  );
  if (problem) throw problem;
}
