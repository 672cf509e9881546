import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { isMap } from "../base/yaml.ts";
import { networkSettings } from "./network-settings.ts";

/** The first version of Milvus's chart whose pods mount user.yaml (zilliztech/milvus-helm, 8a1c4da). */
const FIRST_CHART_WITH_USER_YAML = "3.3.2";
const USER_YAML = /(^|\/)user\.yaml$/;

const Texts = v.nullish(v.record(v.string(), v.string()), () => ({}));

const RenderedService = v.looseObject({
  kind: v.literal("Service"),
  metadata: v.looseObject({ name: v.string(), annotations: Texts }),
  spec: v.looseObject({ type: v.nullish(v.string(), "ClusterIP"), selector: Texts }),
});

const ConfigMap = v.looseObject({
  kind: v.literal("ConfigMap"),
  metadata: v.looseObject({ name: v.string() }),
  data: Texts,
});

function list<const T extends v.GenericSchema>(item: T) {
  return v.nullish(v.array(item), () => []);
}

const Container = v.looseObject({
  name: v.string(),
  image: v.nullish(v.string(), ""),
  volumeMounts: list(
    v.looseObject({ name: v.string(), mountPath: v.string(), subPath: v.nullish(v.string(), "") }),
  ),
});

const Workload = v.looseObject({
  kind: v.string(),
  metadata: v.looseObject({ name: v.string() }),
  spec: v.looseObject({
    template: v.looseObject({
      metadata: v.nullish(v.looseObject({ labels: Texts }), () => ({ labels: {} })),
      spec: v.looseObject({
        containers: list(Container),
        volumes: list(
          v.looseObject({
            name: v.string(),
            configMap: v.nullish(v.looseObject({ name: v.nullish(v.string(), "") })),
          }),
        ),
      }),
    }),
  }),
});
type Workload = v.InferOutput<typeof Workload>;

/** What the load balancer needs of the rendered Service. */
export interface ServiceNeeds {
  name: string;
  type: string;
  annotations: Record<string, string>;
}

/**
 * Returns the version of the Milvus that a release runs, from the image behind its Service; undefined when
 * the manifest doesn't show it.
 *
 * @param objects the release's, as rendered
 * @param service the name of Milvus's Service
 */
export function milvusVersionIn(objects: readonly unknown[], service: string): string | undefined {
  const found = serviceIn(objects, service);
  const containers = workloadsBehind(objects, found?.spec.selector).flatMap(containersOf);
  const image = (containers.find(hasUserYaml) ?? containers[0])?.image ?? "";
  const [, tag] = /:([^/:@]+)(@.*)?$/.exec(image) ?? [];
  return tag?.replace(/^v(?=\d)/, "");
}

/**
 * Checks that the values have their effect. With a chart that doesn't know them, Milvus would lose its
 * layer-4 load balancer and never answer behind the new one.
 *
 * @param objects the release's, as rendered with the values that the load balancer needs
 * @param chart which chart, for the error
 * @throws ActionError naming what is missing
 */
export function refuseNoEffect(
  objects: readonly unknown[],
  needs: ServiceNeeds,
  chart: { name: string; version: string },
): void {
  const missing = missingEffect(objects, needs);
  if (missing === undefined) return;
  throw new ActionError(
    `Chart ${chart.name} ${chart.version} doesn't do what the load balancer needs; nothing was changed.`,
    {
      why: missing,
      fix: `use Milvus's own chart, version ${FIRST_CHART_WITH_USER_YAML} or later (chart_version), or correct your copy of it: the Service needs service.type and service.annotations, and Milvus's pods must mount extraConfigFiles."user.yaml".`,
    },
  );
}

function missingEffect(objects: readonly unknown[], needs: ServiceNeeds): string | undefined {
  const service = serviceIn(objects, needs.name);
  if (!service) return `it makes no Service ${needs.name}.`;
  const { metadata, spec } = service;
  if (spec.type !== needs.type) {
    return `Service ${needs.name} gets type ${spec.type} although service.type is ${needs.type}.`;
  }
  const lost = Object.keys(needs.annotations).filter(
    (name) => metadata.annotations[name] !== needs.annotations[name],
  );
  if (lost.length > 0) {
    return `Service ${needs.name} doesn't get what service.annotations has: ${lost.join(", ")}.`;
  }
  const workloads = workloadsBehind(objects, spec.selector);
  if (workloads.length === 0) {
    return `no pods of the release have the labels that Service ${needs.name} selects: ${JSON.stringify(spec.selector)}.`;
  }
  return workloads.map((workload) => missingTls(objects, workload)).find((problem) => problem !== undefined);
}

/** Returns why a workload's Milvus doesn't read that it must serve TLS; undefined when it does. */
function missingTls(objects: readonly unknown[], workload: Workload): string | undefined {
  const title = `${workload.kind} ${workload.metadata.name}`;
  const mount = containersOf(workload).find(hasUserYaml)?.volumeMounts.find(isUserYaml);
  if (!mount) return `the containers of ${title} mount no user.yaml, so that Milvus never reads it.`;
  const volume = workload.spec.template.spec.volumes.find(({ name }) => name === mount.name);
  const map = volume?.configMap?.name;
  const configMap = objects
    .flatMap((object) => (v.is(ConfigMap, object) ? [v.parse(ConfigMap, object)] : []))
    .find(({ metadata }) => metadata.name === map);
  const key = mount.subPath || "user.yaml";
  const text = configMap?.data[key];
  if (text === undefined)
    return `${title} mounts user.yaml from something that isn't the release's ConfigMap.`;
  const { tls, http, httpPort } = networkSettings(text);
  if (!tls) return `${key} in ConfigMap ${map}, which ${title} mounts as user.yaml, doesn't turn TLS on.`;
  if (http && httpPort === "") return `${key} in ConfigMap ${map} gives the REST API no port of its own.`;
  return undefined;
}

function serviceIn(objects: readonly unknown[], name: string) {
  return objects
    .flatMap((object) => (v.is(RenderedService, object) ? [v.parse(RenderedService, object)] : []))
    .find(({ metadata }) => metadata.name === name);
}

/** The pods behind a Service: the labels that it selects them by, and the workloads that make them. */
export interface PodsBehind {
  labels: Record<string, string>;
  workloads: { kind: string; name: string }[];
}

/**
 * Returns the pods behind a Service; undefined when no workload among the objects has such pods.
 *
 * @param objects the release's, as rendered
 * @param service the Service's name
 */
export function podsBehind(objects: readonly unknown[], service: string): PodsBehind | undefined {
  const labels = serviceIn(objects, service)?.spec.selector;
  const workloads = workloadsBehind(objects, labels).map(({ kind, metadata: { name } }) => ({ kind, name }));
  return labels && workloads.length > 0 ? { labels, workloads } : undefined;
}

/** Returns the workloads whose pods a Service selects. */
function workloadsBehind(objects: readonly unknown[], selector: Record<string, string> = {}): Workload[] {
  const labels = Object.entries(selector);
  if (labels.length === 0) return [];
  return objects
    .filter((object) => isMap(object) && /^(Deployment|StatefulSet|DaemonSet)$/.test(String(object.kind)))
    .map((object) => v.parse(Workload, object))
    .filter(({ spec }) => labels.every(([name, value]) => spec.template.metadata.labels[name] === value));
}

function containersOf({ spec }: Workload) {
  return spec.template.spec.containers;
}

type Container = v.InferOutput<typeof Container>;

function hasUserYaml({ volumeMounts }: Container): boolean {
  return volumeMounts.some(isUserYaml);
}

function isUserYaml({ mountPath }: Container["volumeMounts"][number]): boolean {
  return USER_YAML.test(mountPath);
}
