import { info, warning } from "../base/log.ts";
import { ownerOf } from "../kubernetes/ownership.ts";
import type { Observed } from "../observe/observed.ts";
import type { Plan } from "../plan/plan.ts";
import { unreadyWorkloads } from "../plan/unready-pods.ts";

/** Logs the release and the Service that the run found, and what it leaves alone. */
export function logFindings({ release, service, objects, pods, milvusVersion }: Observed, plan: Plan): void {
  const { name, namespace, revision, status, chart, chartVersion } = release;
  const { port } = plan.release;
  for (const object of objects.filter(({ kind }) => kind === "ManagedCertificate")) {
    const { adopted, certificates } = plan.loadBalancer;
    const isUsed = adopted.includes(object) || certificates.managed.includes(object.metadata.name);
    if (isUsed || ownerOf(object).kind === "ours") continue;
    const title = `ManagedCertificate ${namespace}/${object.metadata.name}`;
    info(`${title} was not made by this action and stays. Delete it if nothing else needs it.`);
  }
  if (revision === 0) {
    info(
      `Release ${namespace}/${name} will be installed: chart ${chart} ${chartVersion}, Milvus ${milvusVersion}.`,
    );
    return;
  }
  info(
    `Release ${namespace}/${name}: revision ${revision}, ${status}, chart ${chart} ${chartVersion}, Milvus ${milvusVersion}.`,
  );
  info(
    `Service ${namespace}/${service.metadata.name}: ${service.spec.type}, gRPC on port ${port.port} (${port.name}).`,
  );
  const unready = unreadyWorkloads(pods);
  if (unready.length > 0) {
    warning(
      `Pods of release ${name} aren't ready, and this run hasn't changed anything yet:\n- ${unready.join("\n- ")}`,
    );
  }
  if (plan.loadBalancer.leavesIap) {
    warning(
      `Identity-Aware Proxy stays on although backend_config no longer has iap: Google's controller can't remove its OAuth client. To turn it off: gcloud compute backend-services update BACKEND --global --no-iap (the output backends has the name).`,
    );
  }
}
