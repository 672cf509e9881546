import { warning } from "@actions/core";
import { info } from "../base/log.ts";
import { ownerOf } from "../kubernetes/ownership.ts";
import type { Observed } from "../observe/observed.ts";
import type { Plan } from "../plan/plan.ts";

/** Writes to the log what release and Service the run found, and what it leaves alone. */
export function logFindings({ release, service, objects }: Observed, plan: Plan): void {
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
  if (plan.loadBalancer.leavesIap) {
    warning(
      `Identity-Aware Proxy stays on although backend_config has no iap any more: Google's controller can't take its OAuth client away. To turn it off: gcloud compute backend-services update BACKEND --global --no-iap (the output backends has the name).`,
    );
  }
}
