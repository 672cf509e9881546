import * as v from "valibot";
import { OvertakenError } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { originOf } from "../base/origin.ts";
import type { Settings } from "../inputs/settings.ts";
import { adopt } from "../kubernetes/adopt.ts";
import type { ApiServer, Manifest } from "../kubernetes/api.ts";
import { applyManifests } from "../kubernetes/manifest-set.ts";
import { Ingress, isOf, KubernetesObject } from "../kubernetes/objects.ts";
import { isManagedName } from "../loadbalancer/managed-certificates.ts";
import { changedAsBefore, changedBy } from "../loadbalancer/origin.ts";
import {
  cleanedPreSharedAnnotation,
  MANAGED_CERTIFICATES,
  PRE_SHARED_CERTIFICATES,
  referencesOf,
} from "../loadbalancer/references.ts";
import type { LoadBalancerWatch } from "../loadbalancer/watch.ts";
import type { ObjectChange } from "../plan/changes.ts";
import type { LoadBalancerPlan } from "../plan/load-balancer.ts";
import type { Plan } from "../plan/plan.ts";
import {
  changing,
  changingAtomically,
  objectChangeKey,
  type RunReport,
  recording,
} from "../report/run-report.ts";
import type { Session } from "../report/session.ts";

/** The load balancer's manifests that this run has applied, with the objects that they became. */
export type Applied = Map<Manifest, KubernetesObject>;

/**
 * Applies the user's own objects, then the load balancer's: the Ingress comes last.
 *
 * @param changes what the dry run has said
 * @param applied the manifests that are applied already: they are skipped, and the new ones are added
 */
export async function applyLoadBalancer(
  { adopt: force }: Pick<Settings, "adopt">,
  { environment, signal, report }: Session,
  api: ApiServer,
  { loadBalancer, files }: Plan,
  changes: readonly ObjectChange[],
  applied: Applied,
): Promise<void> {
  const { names, manifests, givenUp } = loadBalancer;
  await applyManifests(api, files, {
    force,
    signal,
    around: (manifest, apply) => recordingObject(report, manifest, apply),
  });
  for (const manifest of manifests) {
    if (applied.has(manifest)) continue;
    const isKept = changes.some(
      ({ kind, name, action }) =>
        action === "keep" && kind === manifest.kind && name === manifest.metadata.name,
    );
    const live = loadBalancer.live.find(isOf(manifest));
    const marked = isKept ? changedAsBefore(manifest, live) : changedBy(manifest, originOf(environment));
    applied.set(manifest, await recordingObject(report, marked, () => applyOwn(api, marked, loadBalancer)));
  }
  if (givenUp) {
    const { name, uid } = givenUp.metadata;
    await api.delete("ManagedCertificate", names.namespace, name, { uid });
    info(`ManagedCertificate ${name} is deleted: Google gave it up.`);
  }
}

/**
 * Mends the health check of a load balancer that exists, before an upgrade replaces pods. GKE keeps a new pod
 * unready until the load balancer's health check passes, for up to 10 minutes a pod (kubernetes/ingress-gce,
 * pkg/neg/readiness): with a wrong health check the rollout would wait for that.
 */
export async function applyHealthCheck(
  { environment, report }: Session,
  api: ApiServer,
  { loadBalancer }: Pick<Plan, "loadBalancer">,
  applied: Applied,
): Promise<void> {
  for (const manifest of loadBalancer.manifests.filter(({ kind }) => kind === "BackendConfig")) {
    const marked = changedBy(manifest, originOf(environment));
    applied.set(manifest, await recordingObject(report, marked, () => applyOwn(api, marked, loadBalancer)));
  }
}

function recordingObject<T>(
  report: RunReport,
  { kind, metadata: { name } }: Manifest,
  work: () => Promise<T>,
): Promise<T> {
  return recording(report, objectChangeKey({ kind, name }), work);
}

async function applyOwn(
  api: ApiServer,
  manifest: Manifest,
  { adopted, live }: Pick<LoadBalancerPlan, "adopted" | "live">,
): Promise<KubernetesObject> {
  const taken = adopted.find(isOf(manifest));
  const isThere = live.some(isOf(manifest));
  if (manifest.kind === "Secret" && !isThere && !(await api.create(manifest))) throw overtaken(manifest);
  if (taken) {
    await adopt(api, manifest, taken);
    return taken;
  }
  // Manual changes to this action's object are reverted. An object made since the run looked is somebody
  // else's.
  return await api.apply(manifest, { dryRun: false, force: isThere });
}

/** The Secret's certificate isn't the one that this run made, reports and checks. */
function overtaken({ metadata: { name, namespace } }: Manifest): OvertakenError {
  return new OvertakenError(`Secret ${namespace}/${name} was made by somebody else during this run.`, {
    why: "the Secret did not exist when this run looked.",
    fix: "run again: its certificate is kept if it is valid.",
  });
}

/**
 * Removes the certificates that the new one replaces, and the objects that nothing refers to any more. Call
 * it once the load balancer has the new certificate.
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

  // The watch may not have seen yet what this run applied.
  const found = await api.get("Ingress", names.namespace, names.ingress);
  if (found === undefined) return;
  const ingress = v.parse(Ingress, found);
  if (finalIngress) {
    // While the annotation has this action's names, leaving it out of the manifest could remove Google's
    // names too.
    await clear(ingress, (name) => isWanted(name) || isManagedName(name));
    const marked = changedAsBefore(finalIngress, v.parse(KubernetesObject, found));
    const settled = await changing(report, () => api.apply(marked, { dryRun: false, force: true }));
    // While the Ingress names its ManagedCertificate, Google's controller restores what is removed here.
    await clear(v.parse(Ingress, settled), isWanted);
  } else {
    await clear(ingress, isWanted);
  }
  const { managed } = referencesOf(ingress);
  // If somebody else added a name, Google's controller would attach its certificate again.
  if (!finalIngress && managed.some((name) => !certificates.managed.includes(name))) {
    const value = certificates.managed.join(",") || null;
    await changing(report, () =>
      api.annotate("Ingress", names.namespace, names.ingress, MANAGED_CERTIFICATES, value),
    );
  }
  // After the Ingress: the controller's sync fails when an object that it names is missing.
  for (const { kind, namespace, name, uid } of orphans) {
    const wasThere = await recording(report, objectChangeKey({ kind, name }), () =>
      changingAtomically(
        report,
        () => api.delete(kind, namespace, name, { uid }),
        (wasDeleted) => wasDeleted,
      ),
    );
    if (wasThere) info(`${kind} ${name} is deleted: nothing needs it any more.`);
  }
}

/**
 * Removes the switch that has turned IAP off. Milvus's answer through the load balancer shows that it is off.
 */
export async function settleBackendConfig(
  { report }: Session,
  api: ApiServer,
  { names, finalBackendConfig }: Pick<LoadBalancerPlan, "names" | "finalBackendConfig">,
): Promise<void> {
  if (!finalBackendConfig) return;
  const found = await api.get("BackendConfig", names.namespace, names.backendConfig);
  const marked = changedAsBefore(
    finalBackendConfig,
    found === undefined ? undefined : v.parse(KubernetesObject, found),
  );
  await changing(report, () => api.apply(marked, { dryRun: false, force: true }));
}
