import { FIELD_MANAGER, isApplied, type ManagedFields, managedFields } from "./managed-fields.ts";
import type { KubernetesObject } from "./objects.ts";

/** Whose an object is. `managers`: the field managers to take it over from. */
export type Owner =
  | { kind: "ours" }
  /** A person's, who has made it with kubectl as Milvus's page says. */
  | { kind: "kubectl"; managers: string[] }
  /** Another tool's. `signs`: what tells so besides the managers, empty where nothing does. */
  | { kind: "other"; managers: string[]; signs: string[] };

const KUBECTL = /^kubectl(-|\.exe$|$)/;
/** The annotation with which Helm marks what belongs to a release. */
export const HELM_RELEASE = "meta.helm.sh/release-name";
const HELM_NAMESPACE = "meta.helm.sh/release-namespace";
const MANAGED_BY = "app.kubernetes.io/managed-by";
const ARGO_CD = "argocd.argoproj.io/tracking-id";

/**
 * Tells whose an object is. Those count who manage what it is there for (its spec or data): GKE's controllers write
 * annotations, finalizers and status of anybody's objects.
 */
export function ownerOf(object: KubernetesObject): Owner {
  const entries = managedFields(object).filter(({ subresource }) => subresource === "");
  const authors = entries.filter(writesContent);
  const tools = managersOf(authors).filter((manager) => manager !== FIELD_MANAGER && !KUBECTL.test(manager));
  const signs = signsOf(object);
  const kubectl = managersOf(entries).filter((manager) => KUBECTL.test(manager));
  if (tools.length > 0 || signs.length > 0) return { kind: "other", managers: [...tools, ...kubectl], signs };
  // What this action has applied stays its own, even where a person has edited it since.
  if (entries.some(isApplied)) return { kind: "ours" };
  // Before server-side apply, or with its records deleted, there is nobody to name.
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
