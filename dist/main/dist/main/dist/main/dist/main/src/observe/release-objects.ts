import * as v from "valibot";
import { allOf } from "../base/async.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { KubernetesObject, ListedObject } from "../kubernetes/objects.ts";
import { HELM_RELEASE } from "../kubernetes/ownership.ts";
import { type Kind, resourceOf } from "../kubernetes/resources.ts";

/** The kinds whose pods Helm counts. */
export const WORKLOADS = ["Deployment", "StatefulSet"] as const satisfies Kind[];
/** What else of a release people edit by hand. */
export const CONFIGURATION = ["Service", "ConfigMap"] as const satisfies Kind[];

/**
 * Reads the live objects of a release, with one request per kind, however many objects it has.
 *
 * @throws ActionError when the account may not list them
 */
export async function observeReleaseObjects(
  api: ApiServer,
  release: string,
  namespace: string,
  kinds: readonly Kind[],
): Promise<KubernetesObject[]> {
  const lists = await allOf(
    kinds.map(async (kind) => {
      const { items } = await api.list(kind, namespace, "labelSelector=");
      const { apiVersion } = resourceOf(kind);
      // The items of a list come without their kind.
      return items
        .map((item) => v.parse(KubernetesObject, { ...v.parse(ListedObject, item), apiVersion, kind }))
        .filter(({ metadata }) => metadata.annotations[HELM_RELEASE] === release);
    }),
  );
  return lists.flat();
}
