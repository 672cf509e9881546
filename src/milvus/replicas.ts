/**
 * The value with a component's number of pods, by the label `component` of its Deployment
 * (zilliztech/milvus-helm, templates/*-deployment.yaml). `standalone` and `attu` are missing: the chart gives
 * them one pod whatever the values.
 */
const COMPONENT_VALUES: Readonly<Record<string, string>> = {
  proxy: "proxy",
  querynode: "queryNode",
  datanode: "dataNode",
  indexnode: "indexNode",
  streamingnode: "streamingNode",
  mixcoord: "mixCoordinator",
  rootcoord: "rootCoordinator",
  querycoord: "queryCoordinator",
  datacoord: "dataCoordinator",
  indexcoord: "indexCoordinator",
  cdc: "cdc",
};

/**
 * Returns the path of the value that sets a workload's replicas; undefined when the chart has none for it.
 */
export function replicasPath(kind: string, labels: Readonly<Record<string, string>>): string[] | undefined {
  const component = kind === "Deployment" ? COMPONENT_VALUES[labels.component ?? ""] : undefined;
  return component === undefined ? undefined : [component, "replicas"];
}
