/** Returns Google's page of a project's load balancers. */
export function consoleUrl(projectId: string): string {
  return `https://console.cloud.google.com/net-services/loadbalancing/list/loadBalancers?project=${encodeURIComponent(projectId)}`;
}

/** Returns Google's page of a project's workloads on GKE. */
export function workloadsUrl(projectId: string): string {
  return `https://console.cloud.google.com/kubernetes/workload/overview?project=${encodeURIComponent(projectId)}`;
}

/** Returns Google's page of what the containers of a namespace log. */
export function logsUrl(projectId: string, namespace: string): string {
  const query = `resource.type="k8s_container"\nresource.labels.namespace_name="${namespace}"`;
  return `https://console.cloud.google.com/logs/query;query=${encodeURIComponent(query)}?project=${encodeURIComponent(projectId)}`;
}
