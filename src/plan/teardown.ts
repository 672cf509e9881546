import { ActionError } from "../base/errors.ts";
import { givenValues, withOverlay } from "../helm/helm-values.ts";
import { isPending, wasDeployed } from "../helm/history.ts";
import { parseManifest } from "../helm/manifest.ts";
import type { Release } from "../helm/release.ts";
import { pendingRelease } from "../helm/release-state.ts";
import { valueAt } from "../helm/values.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ObjectReference } from "../kubernetes/deletion.ts";
import { deployerOf } from "../kubernetes/deployers.ts";
import type { KubernetesObject } from "../kubernetes/objects.ts";
import { HELM_RELEASE, ownerOf } from "../kubernetes/ownership.ts";
import { attachedPolicy } from "../loadbalancer/client-policy.ts";
import { KEPT } from "../loadbalancer/kept.ts";
import { needs } from "../loadbalancer/references.ts";
import { layer4Of } from "../milvus/layer-4.ts";
import type { ClientPolicy } from "../observe/client-policy.ts";
import type { TeardownState } from "../observe/teardown.ts";
import type { ObjectChange } from "./changes.ts";
import { refuseRestoreUndone } from "./other-deployers.ts";
import type { UpgradePlan } from "./release.ts";
import { keptReplicas } from "./replicas.ts";
import { planLayer4, planRestore, revisionBefore } from "./restore.ts";
import { teardownConsequences } from "./teardown-consequences.ts";

/** In the order in which the log lists them. */
const KINDS = ["Ingress", "ManagedCertificate", "FrontendConfig", "BackendConfig", "Secret"] as const;

/** What a teardown will do. */
export interface TeardownPlan {
  objects: ObjectReference[];
  /** The user's own objects that deployments have applied, the last one first. */
  manifests: KubernetesObject[];
  /** The upgrade that gives the release its former values back, and what has to happen before it. */
  restore: { release: Release; upgrade: UpgradePlan; wayBack: WayBack | undefined } | undefined;
  /** The Cloud Armor policy to delete. */
  clientPolicy: ClientPolicy | undefined;
  /** Everything that is deleted or changed, in the cluster and at Google. */
  changes: ObjectChange[];
  /** What the changes mean for Milvus's clients. */
  consequences: string[];
  /** Sentences for the log: what stays, and why. */
  notes: string[];
  warnings: string[];
}

/** How clients keep a way in: the layer-4 load balancer comes back before the layer-7 one goes. */
export interface WayBack {
  /** The name of Milvus's Service. */
  service: string;
  /** The address of the layer-7 load balancer. */
  leaving: string;
  /** The upgrade that makes the layer-4 load balancer; undefined when it is there. */
  upgrade: UpgradePlan | undefined;
  /** Whether the host's record is this action's, and leads to one of the two. */
  movesRecord: boolean;
}

type TeardownSettings = Pick<
  Settings,
  "namespace" | "host" | "adopt" | "certificate" | "tlsSecret" | "backendConfigName" | "keepLayer4"
>;

/**
 * Decides what a teardown removes. Pure: the same settings and state give the same plan.
 *
 * @throws ActionError when the Ingress belongs to somebody else, or the release can't be upgraded now, or
 *   another tool would undo that
 */
export function planTeardown(settings: TeardownSettings, state: TeardownState): TeardownPlan {
  const { objects, otherIngresses, services, staticAddress, ownRecord } = state;
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
  const formerly = objects
    .filter(({ metadata }) => removed.some(({ uid }) => uid === metadata.uid))
    .flatMap((object) => noteOfTaken(object) ?? []);
  const { restore, notes: ofRelease = [], warning } = planRestoreOf(settings, state);
  if (restore) {
    const { release, upgrade } = restore;
    const ownServices = services.filter(
      ({ metadata }) => metadata.annotations[HELM_RELEASE] === release.name,
    );
    refuseRestoreUndone(
      release,
      deployerOf(ownServices),
      upgrade.changes.map(({ path }) => path),
    );
  }
  return {
    objects: removed,
    manifests,
    restore,
    clientPolicy: unwantedPolicy,
    changes: [
      ...removed.map(({ kind, name }) => deletion(kind, name)),
      ...manifests.map(({ kind, metadata: { name } }) => deletion(kind, name)),
      ...(restore?.wayBack?.movesRecord
        ? [{ kind: "DNS record", name: settings.host, action: "change" as const }]
        : []),
      ...(ownRecord?.isDeletable && !restore?.wayBack?.movesRecord
        ? [deletion("DNS record", settings.host)]
        : []),
      ...(unwantedPolicy ? [deletion("Cloud Armor policy", unwantedPolicy.name)] : []),
      ...(staticAddress?.isReserved ? [deletion("static address", staticAddress.name)] : []),
    ],
    consequences: teardownConsequences(settings, state.ingressAddress, restore),
    notes: [...notes, ...ofRelease],
    warnings: [...formerly, ...(warning === undefined ? [] : [warning])],
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

/**
 * Plans the upgrade that gives the release its former values back, or notes why there is none. If somebody
 * has scaled the release since, the number of pods stays.
 */
function planRestoreOf(
  settings: Pick<Settings, "keepLayer4">,
  state: TeardownState,
): {
  restore?: TeardownPlan["restore"];
  notes?: string[];
  warning?: string;
} {
  const { restorable } = state;
  if (!restorable) return {};
  const { release, history, workloads } = restorable;
  if (isPending(release)) {
    throw pendingRelease(release, " Without restore_layer4 the release doesn't matter.");
  }
  const former = revisionBefore(history.filter(wasDeployed));
  const attempted = release.status === "failed" ? history.at(-1)?.values : undefined;
  const planned = planRestore(release.values, former, attempted);
  if (!planned || release.status === "uninstalled") {
    return {
      notes: [
        `Release ${release.name} (${release.status}) has none of this action's values: it stays as it is.`,
      ],
    };
  }
  const recorded = [...parseManifest(release.base?.manifest ?? "").values()];
  const { values, notes } = keptReplicas(workloads, recorded, {});
  const upgrade = { ...planned, values: withOverlay(planned.values, values) };
  const restore = { release, upgrade, wayBack: wayBackOf(settings, state, release, upgrade) };
  if (former) return { restore, notes };
  return {
    restore,
    notes,
    warning: `Helm's history of release ${release.name} has no revision from before this action: it gets a Service of type LoadBalancer, and Milvus without TLS.`,
  };
}

/**
 * Undefined when the release gets no layer-4 load balancer, no layer-7 one serves, or the user wants none.
 */
function wayBackOf(
  { keepLayer4 }: Pick<Settings, "keepLayer4">,
  { services, ingressAddress, ownRecord, layer4Addresses }: TeardownState,
  { name, status, values }: Release,
  { values: restored, reasons }: UpgradePlan,
): WayBack | undefined {
  const service = services.find(
    ({ metadata: { labels, annotations } }) =>
      annotations[HELM_RELEASE] === name && /^(proxy|standalone)$/.test(labels.component ?? ""),
  );
  const isLayer4 = valueAt(givenValues(restored), "service", "type") === "LoadBalancer";
  if (!keepLayer4 || !isLayer4 || !service || ingressAddress === undefined || status !== "deployed") {
    return undefined;
  }
  const { target } = ownRecord ?? {};
  const isServing = layer4Of(service)?.addresses.some(Boolean) ?? false;
  const reason = reasons.find((each) => each.startsWith("value service.type ")) ?? "it has no address";
  return {
    service: service.metadata.name,
    leaving: ingressAddress,
    upgrade: isServing ? undefined : planLayer4(values, reason),
    movesRecord: target !== undefined && [ingressAddress, ...layer4Addresses].includes(target),
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

/** Warns that an object which is deleted was once somebody else's; undefined when nothing in it says so. */
function noteOfTaken(object: KubernetesObject): string | undefined {
  const note = noteOfStranger(object);
  if (note !== undefined) return `${note}: it is deleted all the same, because adopt is true.`;
  const kept = object.metadata.annotations[KEPT];
  if (kept === undefined) return undefined;
  const { kind, metadata } = object;
  return `${kind} ${metadata.namespace}/${metadata.name} was somebody else's before this action took it over: it is deleted, with what it has kept of theirs (${kept.replaceAll(",", ", ")}).`;
}

/**
 * Tells whether adopt lets a teardown delete somebody else's object. Secrets that others keep are not
 * deleted.
 */
function mayAdopt(
  { kind, metadata: { name } }: KubernetesObject,
  { adopt, certificate, tlsSecret }: TeardownSettings,
): boolean {
  return adopt && (kind !== "Secret" || (certificate.kind === "self-managed" && name === tlsSecret));
}
