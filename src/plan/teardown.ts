import { ActionError } from "../base/errors.ts";
import { isPending, wasDeployed } from "../helm/history.ts";
import type { Release } from "../helm/release.ts";
import { pendingRelease } from "../helm/release-state.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ObjectReference } from "../kubernetes/deletion.ts";
import { deployerOf } from "../kubernetes/deployers.ts";
import type { KubernetesObject } from "../kubernetes/objects.ts";
import { HELM_RELEASE, ownerOf } from "../kubernetes/ownership.ts";
import { attachedPolicy } from "../loadbalancer/client-policy.ts";
import { needs } from "../loadbalancer/references.ts";
import type { ClientPolicy } from "../observe/client-policy.ts";
import type { TeardownState } from "../observe/teardown.ts";
import type { ObjectChange } from "./changes.ts";
import { refuseRestoreUndone } from "./other-deployers.ts";
import type { UpgradePlan } from "./release.ts";
import { planRestore, revisionBefore } from "./restore.ts";

/** In the order in which the log lists them. */
const KINDS = ["Ingress", "ManagedCertificate", "FrontendConfig", "BackendConfig", "Secret"] as const;

/** What a teardown will do. */
export interface TeardownPlan {
  objects: ObjectReference[];
  /** The user's own objects that deployments have applied, the last one first. */
  manifests: KubernetesObject[];
  /** The upgrade that gives the release its former values back. */
  restore: { release: Release; upgrade: UpgradePlan } | undefined;
  /** The Cloud Armor policy to delete. */
  clientPolicy: ClientPolicy | undefined;
  /** Everything that is deleted, in the cluster and at Google. */
  deletions: ObjectChange[];
  /** Sentences for the log: what stays, and why. */
  notes: string[];
  warnings: string[];
}

type TeardownSettings = Pick<
  Settings,
  "namespace" | "host" | "adopt" | "certificate" | "tlsSecret" | "backendConfigName"
>;

/**
 * Decides what a teardown removes. Pure: the same settings and state give the same plan.
 *
 * @throws ActionError when the Ingress belongs to somebody else, or the release can't be upgraded now, or
 *   another tool would undo that
 */
export function planTeardown(settings: TeardownSettings, state: TeardownState): TeardownPlan {
  const { objects, otherIngresses, services, staticAddress, hasRecord } = state;
  refuseForeignIngress(settings, objects);
  const notes: string[] = [];
  const isOurs = (object: KubernetesObject) => {
    const note = noteOfStranger(object);
    if (note !== undefined) notes.push(`${note}: it is left alone.`);
    return note === undefined;
  };
  const isShared = ({ kind, namespace, name }: ObjectReference) => {
    const user = otherIngresses.find((ingress) => needs(ingress, { kind, name }, services));
    if (user)
      notes.push(`${kind} ${namespace}/${name} is left alone: Ingress ${user.metadata.name} needs it.`);
    return user !== undefined;
  };
  const mayHoldOthers = ({ kind, metadata: { name } }: KubernetesObject) => {
    const holds = kind === "Namespace" || kind === "CustomResourceDefinition";
    if (holds) notes.push(`${kind} ${name} is left alone: it may hold objects of others.`);
    return holds;
  };

  const removed = KINDS.flatMap((kind) =>
    objects
      .filter((object) => object.kind === kind && (mayAdopt(object, settings) || isOurs(object)))
      .map(({ metadata: { name, uid } }) => ({ kind, namespace: settings.namespace, name, uid })),
  ).filter((object) => !isShared(object));
  const manifests = state.manifests.filter((object) => isOurs(object) && !mayHoldOthers(object)).reverse();
  const stays = objects.filter(({ metadata }) => !removed.some(({ uid }) => uid === metadata.uid));
  const attached = attachedPolicy(stays, settings.backendConfigName);
  const clientPolicy = state.clientPolicy?.live && state.clientPolicy;
  const whyItStays = clientPolicy && whyPolicyStays(clientPolicy, attached);
  if (whyItStays) notes.push(`The Cloud Armor policy ${clientPolicy.name} is left alone: ${whyItStays}.`);
  const unwantedPolicy = whyItStays ? undefined : clientPolicy;
  const { restore, note, warning } = planRestoreOf(state.restorable);
  if (restore) {
    const { release, upgrade } = restore;
    const ofRelease = services.filter(({ metadata }) => metadata.annotations[HELM_RELEASE] === release.name);
    refuseRestoreUndone(
      release,
      deployerOf(ofRelease),
      upgrade.changes.map(({ path }) => path),
    );
  }
  return {
    objects: removed,
    manifests,
    restore,
    clientPolicy: unwantedPolicy,
    deletions: [
      ...removed.map(({ kind, name }) => deletion(kind, name)),
      ...manifests.map(({ kind, metadata: { name } }) => deletion(kind, name)),
      ...(hasRecord ? [deletion("DNS record", settings.host)] : []),
      ...(unwantedPolicy ? [deletion("Cloud Armor policy", unwantedPolicy.name)] : []),
      ...(staticAddress?.isReserved ? [deletion("static address", staticAddress.name)] : []),
    ],
    notes: [...notes, ...(note === undefined ? [] : [note])],
    warnings: warning === undefined ? [] : [warning],
  };
}

/** @param attached the policy that a BackendConfig which stays names */
function whyPolicyStays({ name, isOurs }: ClientPolicy, attached: string | undefined): string | undefined {
  if (!isOurs) return "it was not made by this action";
  return name === attached ? "a BackendConfig that stays names it" : undefined;
}

function deletion(kind: string, name: string): ObjectChange {
  return { kind, name, action: "delete" };
}

/** Plans the upgrade that gives the release its former values back, or notes why there is none. */
function planRestoreOf(restorable: TeardownState["restorable"]): {
  restore?: TeardownPlan["restore"];
  note?: string;
  warning?: string;
} {
  if (!restorable) return {};
  const { release, history } = restorable;
  if (isPending(release)) {
    throw pendingRelease(release, " Without restore_layer4 the release doesn't matter.");
  }
  const former = revisionBefore(history.filter(wasDeployed));
  const attempted = release.status === "failed" ? history.at(-1)?.values : undefined;
  const upgrade = planRestore(release.values, former, attempted);
  if (!upgrade || release.status === "uninstalled") {
    return {
      note: `Release ${release.name} (${release.status}) has none of this action's values: it stays as it is.`,
    };
  }
  if (former) return { restore: { release, upgrade } };
  return {
    restore: { release, upgrade },
    warning: `Helm's history of release ${release.name} has no revision from before this action: it gets a Service of type LoadBalancer, and Milvus without TLS.`,
  };
}

/** Without its Ingress nothing of a load balancer can be removed. */
function refuseForeignIngress(settings: TeardownSettings, objects: readonly KubernetesObject[]): void {
  const ingress = objects.find(({ kind }) => kind === "Ingress");
  const note = ingress && !mayAdopt(ingress, settings) ? noteOfStranger(ingress) : undefined;
  if (note === undefined) return;
  throw new ActionError(`${note}; nothing was changed.`, {
    fix: "delete it by hand, set ingress_name to this action's own, or set adopt: true to have it removed.",
  });
}

/** Says that somebody else made an object; undefined when this action did. */
function noteOfStranger(object: KubernetesObject): string | undefined {
  const owner = ownerOf(object);
  if (owner.kind === "ours") return undefined;
  const { kind, metadata } = object;
  const name = metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
  const managers = owner.managers.join(", ") || "somebody else";
  return `${kind} ${name} was not made by this action (its fields are managed by ${managers})`;
}

/** A Secret that somebody else keeps is never deleted here. */
function mayAdopt(
  { kind, metadata: { name } }: KubernetesObject,
  { adopt, certificate, tlsSecret }: TeardownSettings,
): boolean {
  return adopt && (kind !== "Secret" || (certificate.kind === "self-managed" && name === tlsSecret));
}
