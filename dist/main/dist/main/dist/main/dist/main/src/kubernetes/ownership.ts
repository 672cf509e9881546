import { FIELD_MANAGER, isApplied, type ManagedFields, managedFields } from "./managed-fields.ts";
import type { KubernetesObject } from "./objects.ts";

/** Who owns an object. `managers`: the field managers from which to adopt it. */
export type Owner =
  | { kind: "ours" }
  /** A person, who made it with kubectl as Milvus's page says. */
  | { kind: "kubectl"; managers: string[] }
  /** Another tool. `signs`: the evidence for that besides the managers, possibly none. */
  | { kind: "other"; managers: string[]; signs: string[] };

const KUBECTL = /^kubectl(-|\.exe$|$)/;
/** The annotation that Helm puts on the objects of a release. */
export const HELM_RELEASE = "meta.helm.sh/release-name";
const HELM_NAMESPACE = "meta.helm.sh/release-namespace";
const MANAGED_BY = "app.kubernetes.io/managed-by";
const ARGO_CD = "argocd.argoproj.io/tracking-id";

/** Annotations and labels by which tools know their objects. */
const SIGN_OF_OWNER =
  /^(meta\.helm\.sh|helm\.sh|argocd\.argoproj\.io|kubectl\.kubernetes\.io|\w+\.toolkit\.fluxcd\.io)\//;

/** Tells whether an annotation or a label says whose an object is. */
export function isSignOfOwner(name: string): boolean {
  return name === MANAGED_BY || SIGN_OF_OWNER.test(name);
}

/**
 * Tells who owns an object. Only managers of its content (spec or data) count, as GKE's controllers write
 * annotations, finalizers and status of any object.
 */
export function ownerOf(object: KubernetesObject): Owner {
  const entries = managedFields(object).filter(({ subresource }) => subresource === "");
  const authors = entries.filter(writesContent);
  const tools = managersOf(authors).filter((manager) => manager !== FIELD_MANAGER && !KUBECTL.test(manager));
  const signs = signsOf(object);
  const kubectl = managersOf(entries).filter((manager) => KUBECTL.test(manager));
  if (tools.length > 0 || signs.length > 0) return { kind: "other", managers: [...tools, ...kubectl], signs };
  // An object that this action applied stays its own, even if a person has edited it since.
  if (entries.some(isApplied)) return { kind: "ours" };
  // Without managed fields, because they were deleted or predate server-side apply, nobody is named.
  return kubectl.length > 0 ? { kind: "kubectl", managers: kubectl } : { kind: "other", managers: [], signs };
}

function writesContent({ fieldsV1 }: ManagedFields): boolean {
  return Object.keys(fieldsV1).some((field) => field !== "f:metadata" && field !== "f:status");
}

function managersOf(entries: readonly ManagedFields[]): string[] {
  return [...new Set(entries.map(({ manager }) => manager))];
}

function signsOf({ metadata }: KubernetesObject): string[] {
  const { annotations, labels, ownerReferences, namespace } = metadata;
  const release = annotations[HELM_RELEASE];
  const application = annotations[ARGO_CD];
  const managedBy = labels[MANAGED_BY];
  return [
    ...ownerReferences.map(({ kind, name }) => `its owner is ${kind} ${name}`),
    ...(release === undefined
      ? []
      : [`it belongs to Helm release ${annotations[HELM_NAMESPACE] ?? namespace}/${release}`]),
    ...(application === undefined ? [] : [`its annotation ${ARGO_CD} is ${application}`]),
    ...(managedBy === undefined || managedBy === FIELD_MANAGER || KUBECTL.test(managedBy)
      ? []
      : [`its label ${MANAGED_BY} is ${managedBy}`]),
  ];
}
