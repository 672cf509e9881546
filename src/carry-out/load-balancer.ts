import * as v from "valibot";
import { OvertakenError } from "../base/errors.ts";
import { info } from "../base/log.ts";
import type { Settings } from "../inputs/settings.ts";
import { adopt } from "../kubernetes/adopt.ts";
import type { ApiServer, Manifest } from "../kubernetes/api.ts";
import { applyManifests } from "../kubernetes/manifest-set.ts";
import { Ingress, isOf } from "../kubernetes/objects.ts";
import {
  cleanedPreSharedAnnotation,
  isManagedName,
  MANAGED_CERTIFICATES,
  PRE_SHARED_CERTIFICATES,
  referencesOf,
} from "../loadbalancer/references.ts";
import type { LoadBalancerWatch } from "../loadbalancer/watch.ts";
import type { Observed } from "../observe/observed.ts";
import type { LoadBalancerPlan } from "../plan/load-balancer.ts";
import type { Plan } from "../plan/plan.ts";
import { changing, changingAtomically } from "../report/run-report.ts";
import type { Session } from "../report/session.ts";

/** Makes the load balancer's objects what the plan says, the user's own before the Ingress. */
export async function applyLoadBalancer(
  { adopt: force }: Settings,
  api: ApiServer,
  { objects }: Pick<Observed, "objects">,
  { loadBalancer, files }: Plan,
  signal: AbortSignal,
): Promise<void> {
  const { names, manifests, adopted, givenUp } = loadBalancer;
  await applyManifests(api, files, { force, signal });
  for (const manifest of manifests) {
    const taken = adopted.find(isOf(manifest));
    const isThere = objects.some(isOf(manifest));
    if (manifest.kind === "Secret" && !isThere && !(await api.create(manifest))) throw overtaken(manifest);
    if (taken) await adopt(api, manifest, taken);
    // What somebody has changed by hand on an object of ours is mended; one that was made since is not ours.
    else await api.apply(manifest, { dryRun: false, force: isThere });
  }
  if (givenUp) {
    const { name, uid } = givenUp.metadata;
    await api.delete("ManagedCertificate", names.namespace, name, { uid });
    info(`ManagedCertificate ${name} is deleted: Google has given it up.`);
  }
}

/** The certificate in it isn't the one that this run has made, and would tell and check. */
function overtaken({ metadata: { name, namespace } }: Manifest): OvertakenError {
  return new OvertakenError(
    `Secret ${namespace}/${name} was made by somebody else while this run was at work.`,
    {
      why: "it was not there when this run looked.",
      fix: "run again: its certificate is kept if it is good.",
    },
  );
}

/**
 * Takes away what was needed only on the way: certificates that the new one replaces, and objects that nothing refers
 * to any more. To be called once the load balancer has the new certificate.
 */
export async function settleLoadBalancer(
  { report }: Session,
  api: ApiServer,
  { names, certificates, finalIngress, orphans }: LoadBalancerPlan,
  watch: LoadBalancerWatch,
): Promise<void> {
  const { managedCertificate } = watch.state;
  const made =
    managedCertificate.state === "present" ? [managedCertificate.object.status.certificateName] : [];
  const isWanted = (name: string) => certificates.preShared.includes(name) || made.includes(name);
  const clear = async (ingress: Ingress, isKept: (name: string) => boolean) => {
    const value = cleanedPreSharedAnnotation(ingress, isKept);
    if (value === undefined) return;
    await changing(report, () =>
      api.annotate("Ingress", names.namespace, names.ingress, PRE_SHARED_CERTIFICATES, value),
    );
  };

  // Read anew: what the watch has seen may be older than what this run has applied.
  const found = await api.get("Ingress", names.namespace, names.ingress);
  if (found === undefined) return;
  const ingress = v.parse(Ingress, found);
  if (finalIngress) {
    // As long as the annotation has names of ours, leaving it out of the manifest could take Google's own away too.
    await clear(ingress, (name) => isWanted(name) || isManagedName(name));
    const settled = await changing(report, () => api.apply(finalIngress, { dryRun: false, force: true }));
    // As long as the Ingress names its ManagedCertificate, Google's controller would bring back what is removed here.
    await clear(v.parse(Ingress, settled), isWanted);
  } else {
    await clear(ingress, isWanted);
  }
  const { managed } = referencesOf(ingress);
  // With one that somebody else has added, Google's controller would attach its certificate again.
  if (!finalIngress && managed.some((name) => !certificates.managed.includes(name))) {
    const value = certificates.managed.join(",") || null;
    await changing(report, () =>
      api.annotate("Ingress", names.namespace, names.ingress, MANAGED_CERTIFICATES, value),
    );
  }
  // After the Ingress: a sync that misses what it names fails.
  for (const { kind, namespace, name, uid } of orphans) {
    const wasThere = await changingAtomically(
      report,
      () => api.delete(kind, namespace, name, { uid }),
      (wasDeleted) => wasDeleted,
    );
    if (wasThere) info(`${kind} ${name} is deleted: nothing needs it any more.`);
  }
}
