import { dump } from "js-yaml";
import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import type { Job } from "../base/job.ts";
import type { Program } from "../base/process.ts";
import type { YamlMap } from "../base/yaml.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { type Deployer, deployerOf } from "../kubernetes/deployers.ts";
import { ListedObject } from "../kubernetes/objects.ts";
import { HELM_RELEASE } from "../kubernetes/ownership.ts";
import { loadBalancerValues } from "../milvus/values.ts";
import { observeInstallation } from "./installation.ts";

/** Milvus Operator's own resource (milvus-operator, apis/milvus.io/v1beta1). */
const OPERATOR_RESOURCE = { apiVersion: "milvus.io/v1beta1", kind: "Milvus" };
/** Where Milvus serves gRPC, in its chart and with its operator. */
const DEFAULT_PORT = { name: "milvus", port: 19530 };

type MissingSettings = Pick<Settings, "release" | "namespace" | "backendConfigName">;

/**
 * Describes the release to install.
 *
 * @throws ActionError when it is not to be installed, the namespace doesn't exist, or another tool deploys Milvus there
 */
export async function observeMissing(settings: Settings, job: Job, api: ApiServer, helm: Program) {
  const { namespace, install } = settings;
  if (!(await api.hasNamespace(namespace))) throw noNamespace(namespace);
  const deployer = await findDeployer(settings, api);
  if (deployer) throw deployedWithoutHelm(settings, deployer);
  if (!install) throw noRelease(settings, await milvusReleases(namespace, api));
  return await observeInstallation(settings, job, helm);
}

/** Returns the tool that deploys Milvus under the release's name without Helm. */
async function findDeployer(
  { release: name, namespace }: MissingSettings,
  api: ApiServer,
): Promise<Deployer | undefined> {
  const selector = `labelSelector=app.kubernetes.io/instance=${name}` as const;
  const { items } = await api.list("Service", namespace, selector);
  const found = deployerOf(items.map((item) => v.parse(ListedObject, item)));
  if (found) return found;
  // Some accounts may not read it. Then the error says only that there is no release.
  const resource = await api
    .find({ ...OPERATOR_RESOURCE, metadata: { name, namespace } })
    .catch(() => undefined);
  return resource && { tool: "Milvus Operator", object: `Milvus ${namespace}/${name}` };
}

/** Returns the error for a Milvus that Helm doesn't know, with what makes it ready for the load balancer. */
function deployedWithoutHelm(
  { release, namespace, backendConfigName }: MissingSettings,
  { tool, object }: Deployer,
): ActionError {
  const { service } = loadBalancerValues({}, DEFAULT_PORT, backendConfigName);
  const guide =
    'The load balancer\'s objects go beside it (docs/upgrades.md, "Flux, Argo CD, Milvus Operator").';
  const ways =
    tool === "Milvus Operator"
      ? {
          why: "the operator makes Milvus's objects itself, and sets back what others change in them.",
          fix: `put this into the spec of that ${object}; for a standalone Milvus it is components.standalone instead of components.proxy. ${guide}\n${dump(operatorSpec({ ...Object(service) }))}`,
        }
      : {
          why: `${tool} renders the chart itself, so that there is no Helm release to upgrade.`,
          // The Application's own user.yaml isn't known here, and this one would replace it.
          fix: `put this into the Helm values of that ${object}, and common.security.tlsMode: 1 and proxy.http.port: 8080 into its extraConfigFiles."user.yaml", beside what is there. ${guide}\n${dump({ service })}`,
        };
  return new ActionError(
    `Milvus ${release} in namespace ${namespace} is deployed by ${tool} (${object}), not as a Helm release; nothing was changed.`,
    ways,
  );
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

function noRelease({ release, namespace }: MissingSettings, others: readonly string[]): ActionError {
  return new ActionError(
    `There is no Helm release ${release} in namespace ${namespace}; nothing was changed.`,
    {
      ...(others.length > 0 && { why: `Milvus is there in release ${others.join(", ")}.` }),
      fix: "set release and namespace to those of the Milvus release (`helm list --all-namespaces`), and check that it is the right cluster. install: true installs it.",
    },
  );
}

function noNamespace(namespace: string): ActionError {
  return new ActionError(`There is no namespace ${namespace} in the cluster; nothing was changed.`, {
    fix: "set namespace to that of Milvus's Helm release (`helm list --all-namespaces`), and check that it is the right cluster.",
  });
}
