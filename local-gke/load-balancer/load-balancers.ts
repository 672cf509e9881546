import { once } from "node:events";
import { createServer } from "node:net";
import type { Cloud } from "../cloud.ts";
import { startServiceController } from "../layer4/service-controller.ts";
import type { Milvus } from "../milvus/server.ts";
import { Backends } from "./backend.ts";
import type { Endpoints } from "./endpoints.ts";
import { HealthChecks } from "./health-checks.ts";
import { Listener } from "./listener.ts";
import { NetworkEndpointGroups } from "./network-endpoint-groups.ts";

/**
 * Starts the data path of the pretended Google project: every load balancer of `cloud` and every Service of type
 * LoadBalancer is served on its own loopback address, in front of the Milvus pods of the cluster, and `cloud.healthOf`
 * tells how these are.
 *
 * @param options `milvus`: what all pods forward to; they begin to listen when it has started
 * @throws Error when ports below 1024 can't be bound, with what to do
 */
export async function startLoadBalancers(options: {
  kubeconfig: string;
  cloud: Cloud;
  milvus: Promise<Milvus>;
}): Promise<{ stop(): Promise<void> }> {
  await checkPorts();
  const groups = new NetworkEndpointGroups(options.kubeconfig, options.milvus);
  await groups.start();
  const { kubeconfig, cloud } = options;
  const services = await startServiceController({ kubeconfig, cloud, endpoints: groups });
  const front = await serveLoadBalancers(cloud, groups);
  return {
    async stop() {
      await Promise.all([front.stop(), services.stop()]);
      await groups.stop();
    },
  };
}

/** Serves every load balancer of `cloud` in front of these endpoints, also those that are added or change. */
export async function serveLoadBalancers(
  cloud: Cloud,
  endpoints: Endpoints,
): Promise<{ stop(): Promise<void> }> {
  const checks = new HealthChecks(cloud, endpoints);
  const backends = new Backends((backend) => checks.healthy(backend));
  const listeners = new Map<string, Listener>();
  cloud.healthOf = (backend) => checks.healthOf(backend);

  let reconciled = Promise.resolve();
  const reconcile = (ingress: string) => {
    reconciled = reconciled
      .then(async () => {
        const wanted = cloud.loadBalancers.get(ingress);
        const listener = listeners.get(ingress);
        if (listener && listener.address !== wanted?.address) {
          listeners.delete(ingress);
          await listener.close();
        }
        if (!wanted) return;
        const serving = listeners.get(ingress) ?? new Listener(wanted, cloud, backends);
        listeners.set(ingress, serving);
        await serving.update(wanted);
      })
      .catch((error: unknown) => console.error(`load balancer of ${ingress}: ${error}`));
    return reconciled;
  };
  const dropConnections = () =>
    backends.keepOnly([...cloud.backends.values()].flatMap((backend) => endpoints.of(backend)));

  checks.start();
  cloud.on("load-balancer", reconcile);
  endpoints.on("change", dropConnections);
  for (const ingress of cloud.loadBalancers.keys()) reconcile(ingress);
  await reconciled;
  return {
    async stop() {
      cloud.off("load-balancer", reconcile);
      endpoints.off("change", dropConnections);
      await reconciled;
      await Promise.all([checks.stop(), ...[...listeners.values()].map((listener) => listener.close())]);
      backends.keepOnly([]);
    },
  };
}

async function checkPorts(): Promise<void> {
  const server = createServer();
  try {
    server.listen(443, "127.0.0.1");
    await once(server, "listening");
    server.close();
  } catch (error) {
    // Any other error is about this one address, which no load balancer is given.
    if (!(error instanceof Error && "code" in error && error.code === "EACCES")) return;
    throw new Error(
      "The load balancers can't listen on ports 80 and 443: this user may not bind ports below 1024.\n" +
        "What to do: sudo sysctl net.ipv4.ip_unprivileged_port_start=80",
      { cause: error },
    );
  }
}
