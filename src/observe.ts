import * as v from "valibot";
import { allOf } from "./async.ts";
import { ActionError } from "./errors.ts";
import { type Release, readRelease } from "./helm/release.ts";
import type { Settings } from "./inputs.ts";
import type { ApiServer } from "./kubernetes/api.ts";
import { Ingress, KubernetesObject, Secret, Service } from "./kubernetes/objects.ts";
import type { Program } from "./process.ts";

/** The cluster as it is before this run changes anything. */
export interface Observed {
  release: Release;
  /** The Service through which Milvus is reached. */
  service: Service;
  /** Those of the objects that this action makes which exist already. */
  objects: KubernetesObject[];
  ingress: Ingress | undefined;
  tlsSecret: Secret | undefined;
}

/**
 * Looks at the release and at everything that this action would make, side by side.
 *
 * @throws ActionError when the release, its namespace or its Service isn't there, or the cluster can't make load balancers
 */
export async function observe(settings: Settings, api: ApiServer, helm: Program): Promise<Observed> {
  const { namespace, release: name } = settings;
  const [release, services, ...found] = await allOf([
    readRelease(helm, name, namespace),
    api.list(
      "Service",
      namespace,
      `labelSelector=app.kubernetes.io/instance=${name},component in (proxy,standalone)`,
    ),
    api.get("Ingress", namespace, settings.ingressName),
    api.get("BackendConfig", namespace, settings.backendConfigName),
    api.get("Secret", namespace, settings.tlsSecret),
  ]);
  if (!release) throw await noRelease(api, name, namespace);

  const [service, ...others] = services.items.map((item) => v.parse(Service, item));
  if (!service) {
    throw new ActionError(
      `Release ${name} in namespace ${namespace} has no Milvus Service; nothing was changed.`,
      {
        why: `no Service there has the labels app.kubernetes.io/instance=${name} and component=proxy or component=standalone; the release's chart is ${release.chart} ${release.chartVersion}.`,
        fix: "set release to one that Milvus's own Helm chart was installed as.",
      },
    );
  }
  if (others.length > 0) {
    throw new ActionError(
      `Release ${name} in namespace ${namespace} has more than one Milvus Service; nothing was changed.`,
      {
        why: [service, ...others].map(({ metadata }) => metadata.name).join(", "),
        fix: "delete those that are left over from another release of the same name.",
      },
    );
  }
  const objects = found.flatMap((item) => (item === undefined ? [] : [v.parse(KubernetesObject, item)]));
  const leaving = objects.find(({ metadata }) => metadata.deletionTimestamp);
  if (leaving) {
    throw new ActionError(
      `${leaving.kind} ${namespace}/${leaving.metadata.name} is being deleted; nothing was changed.`,
      {
        why: `deletionTimestamp ${leaving.metadata.deletionTimestamp}, finalizers: ${leaving.metadata.finalizers.join(", ") || "none"}.`,
        fix: "run again when it is gone; an Ingress goes when Google has removed its load balancer.",
      },
    );
  }
  const ofKind = (kind: string) => objects.find((object) => object.kind === kind);
  const [ingress, tlsSecret] = [ofKind("Ingress"), ofKind("Secret")];
  return {
    release,
    service,
    objects,
    ingress: ingress && v.parse(Ingress, ingress),
    tlsSecret: tlsSecret && v.parse(Secret, tlsSecret),
  };
}

/** Tells a release that isn't there from a namespace that isn't. */
async function noRelease(api: ApiServer, release: string, namespace: string): Promise<ActionError> {
  if (!(await api.hasNamespace(namespace))) {
    return new ActionError(`There is no namespace ${namespace} in the cluster; nothing was changed.`, {
      fix: "set namespace to the one that Milvus's Helm release is in (`helm list --all-namespaces`), and check that it is the right cluster.",
    });
  }
  return new ActionError(
    `There is no Helm release ${release} in namespace ${namespace}; nothing was changed.`,
    {
      fix: "set release and namespace to those of the Milvus release (`helm list --all-namespaces`), and check that it is the right cluster.",
    },
  );
}
