import { warning } from "@actions/core";
import { allOf } from "../base/async.ts";
import { info } from "../base/log.ts";
import type { Settings } from "../inputs/settings.ts";
import type { FileManifest } from "../kubernetes/manifest-documents.ts";
import { refuseOwnObjects } from "../kubernetes/manifest-files.ts";
import { ownerOf } from "../kubernetes/ownership.ts";
import {
  CLEAR,
  DEPLOY,
  FRONTEND_CONFIG,
  MANAGED_CERTIFICATE,
  type Rights,
  refuseMissingRights,
} from "../kubernetes/permissions.ts";
import { type ChosenCertificate, chooseCertificate } from "../loadbalancer/choose-certificate.ts";
import { makePlan, type Plan } from "../plan/plan.ts";
import type { Session } from "../report/session.ts";
import type { Access } from "./access.ts";
import { type Observed, observe } from "./cluster.ts";
import { type GoogleState, observeGoogle } from "./google.ts";

/** What a run knows before it changes anything. */
export interface Assessment {
  observed: Observed;
  place: GoogleState;
  certificate: ChosenCertificate;
  plan: Plan;
  /** The user's own objects. */
  files: readonly FileManifest[];
}

/**
 * Looks at the cluster and at what there is at Google, and decides what the run will do.
 *
 * @throws ActionError when rights are missing, or the release can't be put behind the load balancer as things are
 */
export async function assess(
  settings: Settings,
  session: Session,
  access: Access,
  files: readonly FileManifest[],
): Promise<Assessment> {
  const { namespace } = settings;
  const [, observed] = await allOf([
    refuseMissingRights(access.api, namespace, rightsFor(settings)),
    observe(settings, session, access),
  ]);
  const place = await observeGoogle(settings, access, observed);
  const certificate = await chooseCertificate(settings, observed.tlsSecret, place.sslCertificates);
  const plan = makePlan(settings, observed, certificate.newPair);
  refuseOwnObjects(files, plan.loadBalancer.manifests);
  const leftovers = plan.loadBalancer.orphans.map(({ kind }) => CLEAR[kind]);
  if (leftovers.length > 0) await refuseMissingRights(access.api, namespace, leftovers);
  describe(observed, plan);
  if (plan.loadBalancer.leavesIap) {
    warning(
      `Identity-Aware Proxy stays on although backend_config has no iap any more: Google's controller can't take its OAuth client away. To turn it off: gcloud compute backend-services update BACKEND --global --no-iap (the output backends has the name).`,
    );
  }
  return { observed, place, certificate, plan, files };
}

function rightsFor({ certificate, frontendConfig }: Settings): Rights[] {
  return [
    ...DEPLOY,
    ...(certificate.kind === "google-managed" ? MANAGED_CERTIFICATE : []),
    ...(frontendConfig ? FRONTEND_CONFIG : []),
  ];
}

function describe({ release, service, objects }: Observed, plan: Plan): void {
  const { name, namespace, revision, status, chart, chartVersion, appVersion } = release;
  const { port } = plan.release;
  for (const object of objects.filter(({ kind }) => kind === "ManagedCertificate")) {
    if (ownerOf(object).kind === "ours" || plan.loadBalancer.adopted.includes(object)) continue;
    const title = `ManagedCertificate ${namespace}/${object.metadata.name}`;
    info(`${title} was not made by this action, and stays: delete it if nothing else needs it.`);
  }
  if (revision === 0) {
    info(
      `Release ${namespace}/${name} is to be installed: chart ${chart} ${chartVersion}, Milvus ${appVersion}.`,
    );
    return;
  }
  info(
    `Release ${namespace}/${name}: revision ${revision}, ${status}, chart ${chart} ${chartVersion}, Milvus ${appVersion}.`,
  );
  info(
    `Service ${namespace}/${service.metadata.name}: ${service.spec.type}, gRPC on port ${port.port} (${port.name}).`,
  );
}
