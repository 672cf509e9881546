import type { ListedObject } from "./objects.ts";

/** A tool that deploys an object, and undoes what others change in it. */
export interface Deployer {
  tool: "Flux" | "Argo CD" | "Milvus Operator";
  /**
   * Its own object for that: a HelmRelease, an Application or a Milvus, with its
   * namespace where that is known.
   */
  object: string;
}

const FLUX_NAME = "helm.toolkit.fluxcd.io/name";
const FLUX_NAMESPACE = "helm.toolkit.fluxcd.io/namespace";
/** `<application>:<group>/<kind>:<namespace>/<name>` (Argo CD, Resource Tracking). */
const ARGO_CD_ANNOTATION = "argocd.argoproj.io/tracking-id";
const ARGO_CD_LABEL = "argocd.argoproj.io/instance";
const OPERATOR_API = /^milvus\.io\//;

/**
 * Returns the tool that deploys one of the objects; undefined when none shows one.
 *
 * Flux labels all objects of a HelmRelease (helm-controller, post-renderer for origin labels), Argo
 * CD's tracking is an annotation or a label, and Milvus Operator owns what it makes
 * (milvus-operator, SetControllerReference).
 */
export function deployerOf(objects: readonly Pick<ListedObject, "metadata">[]): Deployer | undefined {
  return objects.map(({ metadata }) => deployerIn(metadata)).find((found) => found !== undefined);
}

function deployerIn({
  namespace = "",
  labels,
  annotations,
  ownerReferences,
}: ListedObject["metadata"]): Deployer | undefined {
  const release = labels[FLUX_NAME];
  if (release !== undefined)
    return { tool: "Flux", object: `HelmRelease ${labels[FLUX_NAMESPACE] ?? namespace}/${release}` };
  const [application] = annotations[ARGO_CD_ANNOTATION]?.split(":") ?? [];
  const tracked = application ?? labels[ARGO_CD_LABEL];
  if (tracked !== undefined) return { tool: "Argo CD", object: `Application ${tracked}` };
  const owner = ownerReferences.find(
    ({ kind, apiVersion }) => kind === "Milvus" && OPERATOR_API.test(String(apiVersion)),
  );
  return owner && { tool: "Milvus Operator", object: `Milvus ${namespace}/${owner.name}` };
}
