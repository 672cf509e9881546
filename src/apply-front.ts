import { info } from "@actions/core";
import * as v from "valibot";
import type { FrontPlan } from "./front-plan.ts";
import type { Settings } from "./inputs.ts";
import { adopt } from "./kubernetes/adoption.ts";
import type { ApiServer, Manifest } from "./kubernetes/api.ts";
import type { ObjectReference } from "./kubernetes/deletion.ts";
import { applyManifests } from "./kubernetes/manifest-set.ts";
import { Ingress, type KubernetesObject } from "./kubernetes/objects.ts";
import type { Front } from "./loadbalancer/front.ts";
import { leftoverCleared, PRE_SHARED_CERTIFICATES } from "./loadbalancer/references.ts";
import type { Outlook } from "./outlook.ts";
import type { Session } from "./session.ts";

/** Makes the load balancer's objects what the plan says, the user's own before the Ingress. */
export async function applyFront(
  { adopt: force }: Settings,
  api: ApiServer,
  { observed, plan, files }: Outlook,
  signal: AbortSignal,
): Promise<void> {
  const { names, manifests, takenOver, givenUp } = plan.front;
  await applyManifests(api, files, { force, signal });
  for (const manifest of manifests) {
    const taken = takenOver.find(isOf(manifest));
    if (taken) await adopt(api, manifest, taken, { dryRun: false });
    // What somebody has changed by hand on an object of ours is mended; one that was made since is not ours.
    else await api.apply(manifest, { dryRun: false, force: observed.objects.some(isOf(manifest)) });
  }
  if (givenUp) {
    const { name, uid } = givenUp.metadata;
    await remove(
      api,
      { kind: "ManagedCertificate", namespace: names.namespace, name, uid },
      "Google has given it up",
    );
  }
}

function isOf(manifest: Manifest): (object: KubernetesObject) => boolean {
  return ({ kind, metadata }) => kind === manifest.kind && metadata.name === manifest.metadata.name;
}

/**
 * Takes away what was needed only on the way: certificates that the new one replaces, and objects that nothing refers
 * to any more. To be called once the load balancer has the new certificate.
 */
export async function settleFront(
  { known }: Session,
  api: ApiServer,
  { names, certificates, finalIngress, orphans }: FrontPlan,
  front: Front,
): Promise<void> {
  const { ingress, managedCertificate } = front.state;
  const made =
    managedCertificate.state === "present" ? [managedCertificate.object.status.certificateName] : [];
  // Google's controller writes a certificate's name back as long as the Ingress names the ManagedCertificate.
  const last = finalIngress
    ? v.parse(Ingress, await api.apply(finalIngress, { dryRun: false, force: true }))
    : ingress.state === "present"
      ? ingress.object
      : undefined;
  const value = last && leftoverCleared(last, certificates, made);
  if (value !== undefined) {
    await api.annotate("Ingress", names.namespace, names.ingress, PRE_SHARED_CERTIFICATES, value);
  }
  if (finalIngress || value !== undefined || orphans.length > 0) known.changed = true;
  // After the Ingress: a sync that misses what it names fails.
  for (const orphan of orphans) await remove(api, orphan, "nothing needs it any more");
}

async function remove(api: ApiServer, object: ObjectReference, why: string): Promise<void> {
  const { kind, namespace, name, uid } = object;
  if (await api.delete(kind, namespace, name, { uid })) info(`${kind} ${name} is deleted: ${why}.`);
}
