import { dump } from "js-yaml";
import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import type { Job } from "../base/job.ts";
import { asMap, type YamlMap } from "../base/yaml.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { type Deployer, deployerOf } from "../kubernetes/deployers.ts";
import { ListedObject } from "../kubernetes/objects.ts";
import { HELM_RELEASE } from "../kubernetes/ownership.ts";
import { DEFAULT_SERVICE_PORT } from "../milvus/grpc-port.ts";
import { loadBalancerValues } from "../milvus/values.ts";
import type { Access } from "./access.ts";
import { observeInstallation } from "./installation.ts";

/** Milvus Operator's own resource (milvus-operator, apis/milvus.io/v1beta1). */
const OPERATOR_RESOURCE = { apiVersion: "milvus.io/v1beta1", kind: "Milvus" };

/** How many releases an error names. */
const MOST_RELEASES = 5;

const GUIDE =
  'The load balancer\'s objects go beside it (docs/upgrades.md, "Flux, Argo CD, Milvus Operator").';

type MissingSettings = Pick<Settings, "release" | "namespace" | "backendConfigName">;

/**
 * Describes the release to install.
 *
 * @throws ActionError when it is not to be installed, the namespace doesn't exist, or
 *   another tool deploys Milvus there
 */
export async function observeMissing(
  settings: Settings,
  job: Job,
  { api, helm }: Pick<Access, "api" | "helm">,
) {
  const { namespace, install } = settings;
  if (!(await api.hasNamespace(namespace))) throw noNamespace(namespace, await allMilvusReleases(api));
  const deployer = await findDeployer(settings, api);
  if (deployer) throw deployedWithoutHelm(settings, deployer);
  if (!install) {
    const here = await milvusReleases(namespace, api);
    throw noRelease(settings, here.length > 0 ? here : await allMilvusReleases(api));
  }
  return await observeInstallation(settings, job, await helm());
}

/**
 * Returns what deploys Milvus under the release's name without Helm; undefined when nothing of it is there.
 */
async function findDeployer(
  { release: name, namespace }: MissingSettings,
  api: ApiServer,
): Promise<Deployer | "unknown" | undefined> {
  const selector = `labelSelector=app.kubernetes.io/instance=${name}` as const;
  const { items } = await api.list("Service", namespace, selector);
  const services = items.map((item) => v.parse(ListedObject, item));
  const found = deployerOf(services);
  if (found) return found;
  // Some accounts may not read it. Then the error says only that there is no release.
  const resource = await api
    .find({ ...OPERATOR_RESOURCE, metadata: { name, namespace } })
    .catch(() => undefined);
  if (resource) return { tool: "Milvus Operator", object: `Milvus ${namespace}/${name}` };
  const isRendered = services.some(({ metadata }) => metadata.annotations[HELM_RELEASE] === undefined);
  return isRendered ? "unknown" : undefined;
}

/** Returns the error for a Milvus that Helm doesn't know, with what makes it ready for the load balancer. */
function deployedWithoutHelm(
  { release, namespace, backendConfigName }: MissingSettings,
  deployer: Deployer | "unknown",
): ActionError {
  const service = asMap(loadBalancerValues({}, DEFAULT_SERVICE_PORT, backendConfigName).service);
  const isKnown = deployer !== "unknown";
  const title = `Milvus ${release} in namespace ${namespace}`;
  const what = isKnown
    ? `${title} is deployed by ${deployer.tool} (${deployer.object}), not as a Helm release; nothing was changed.`
    : `${title} is not a Helm release; nothing was changed.`;
  if (isKnown && deployer.tool === "Milvus Operator") {
    return new ActionError(what, {
      why: "the operator makes Milvus's objects itself, and sets back what others change in them.",
      fix: `put this into the spec of that ${deployer.object}; for a standalone Milvus it is components.standalone instead of components.proxy. ${GUIDE}\n${dump(operatorSpec(service))}`,
    });
  }
  // The user.yaml that is there isn't known here, and another one would replace it.
  return new ActionError(what, {
    why: isKnown
      ? `${deployer.tool} renders the chart itself, so that there is no Helm release to upgrade.`
      : `a Service there has the label app.kubernetes.io/instance=${release} and no release: the chart was rendered without Helm's record, as Argo CD and helm template do.`,
    fix: `put this into the Helm values of ${isKnown ? `that ${deployer.object}` : "what renders the chart"}, and common.security.tlsMode: 1 and proxy.http.port: 8080 into its extraConfigFiles."user.yaml", beside what is there. ${GUIDE}\n${dump({ service })}`,
  });
}

/** The same settings for Milvus Operator (milvus-operator, docs/CRD/milvus.md). */
function operatorSpec({ type, annotations }: YamlMap): YamlMap {
  return {
    components: { proxy: { serviceType: type, serviceAnnotations: annotations } },
    config: { common: { security: { tlsMode: 1 } }, proxy: { http: { port: 8080 } } },
  };
}

/** Returns the names of the releases that have a Milvus in the namespace, as a part of another chart too. */
async function milvusReleases(namespace: string, api: ApiServer): Promise<string[]> {
  const { items } = await api.list("Service", namespace, "labelSelector=component in (proxy,standalone)");
  const names = items.map((item) => v.parse(ListedObject, item).metadata.annotations[HELM_RELEASE]);
  return [...new Set(names.filter((name) => name !== undefined))];
}

/**
 * Returns the releases of Milvus's chart in all namespaces, as namespace/release; the first few if there are
 * many, none if the account may not look there.
 */
async function allMilvusReleases(api: ApiServer): Promise<string[]> {
  const selector = `labelSelector=app.kubernetes.io/name=milvus,component in (proxy,standalone)` as const;
  const { items } = await api.list("Service", "", selector).catch(() => ({ items: [] }));
  const names = items.flatMap((item) => {
    const { namespace, annotations } = v.parse(ListedObject, item).metadata;
    const name = annotations[HELM_RELEASE];
    return name === undefined ? [] : [`${namespace}/${name}`];
  });
  return [...new Set(names)].slice(0, MOST_RELEASES);
}

function noRelease({ release, namespace }: MissingSettings, others: readonly string[]): ActionError {
  return new ActionError(
    `There is no Helm release ${release} in namespace ${namespace}; nothing was changed.`,
    {
      ...(others.length > 0 && { why: `Milvus is there in release ${others.join(", ")}.` }),
      fix: "set release and namespace to those of the Milvus release (`helm list --all-namespaces`), and check that it is the right cluster. install: true installs it.",
    },
  );
}

function noNamespace(namespace: string, others: readonly string[]): ActionError {
  return new ActionError(`There is no namespace ${namespace} in the cluster; nothing was changed.`, {
    ...(others.length > 0 && { why: `Milvus is there in release ${others.join(", ")}.` }),
    fix: "set namespace to that of Milvus's Helm release (`helm list --all-namespaces`), and check that it is the right cluster.",
  });
}
