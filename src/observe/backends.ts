import { ActionError, messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { endpointsOf } from "../gke/backend-health.ts";
import type { EndpointHealth } from "../gke/compute-resources.ts";
import type { Settings } from "../inputs/settings.ts";
import type { Inspect } from "../loadbalancer/inspection.ts";
import { trafficObstacles } from "../loadbalancer/traffic-obstacles.ts";
import type { LoadBalancerWatch } from "../loadbalancer/watch.ts";
import type { Access } from "./access.ts";
import { scopeOf } from "./scope.ts";

/**
 * Returns a function that looks for the reason why backends don't get healthy: at Google, as far as the job
 * may, and in the cluster. Its first call logs where the health comes from.
 */
export function backendInspector(
  settings: Pick<Settings, "loadBalancer" | "google">,
  { api, cluster, project }: Pick<Access, "api" | "cluster" | "project">,
  watch: LoadBalancerWatch,
): Inspect {
  const askGoogle = healthAtGoogle(settings, { project });
  return async (backend) => {
    const endpoints = backend === undefined ? undefined : await askGoogle(backend);
    const { service } = watch.state;
    const obstacles =
      service.state === "present"
        ? await trafficObstacles(api, watch.names, service.object, { endpoints, network: cluster?.network })
        : [];
    return { endpoints, obstacles };
  };
}

/**
 * Returns a function that asks Google for the health of a backend's endpoints. After a failure it doesn't ask
 * again.
 */
function healthAtGoogle(
  settings: Pick<Settings, "loadBalancer" | "google">,
  access: Pick<Access, "project">,
): (backend: string) => Promise<EndpointHealth[] | undefined> {
  let source: "not known yet" | "Google" | "the annotation" = "not known yet";
  const ask = async (backend: string) => {
    const project = await access.project();
    const endpoints = await endpointsOf(scopeOf(settings), backend, project);
    if (endpoints) return endpoints;
    throw new Error(`the project ${project.projectId} has no backend service ${backend}`);
  };
  return async (backend) => {
    if (source === "the annotation") return undefined;
    try {
      const endpoints = await ask(backend);
      if (source !== "Google") info("Google's Compute Engine API tells the health of each pod.");
      source = "Google";
      return endpoints;
    } catch (error) {
      source = "the annotation";
      const why = (error instanceof ActionError && error.why) || messageOf(error);
      info(
        `The Ingress's annotation tells the health of backends, as Google's Compute Engine API doesn't: ${why}`,
      );
      return undefined;
    }
  };
}
