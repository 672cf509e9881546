import { once } from "node:events";
import { createServer } from "node:net";
import type { BackendService, Cloud } from "../cloud.ts";
import { DEFAULT_TIMING, type Timing } from "../ingress/timing.ts";
import { startServiceController } from "../layer4/service-controller.ts";
import type { Milvus } from "../milvus/server.ts";
import { Backends } from "./backend.ts";
import type { Endpoint, Endpoints } from "./endpoints.ts";
import { HealthChecks } from "./health-checks.ts";
import { Listener } from "./listener.ts";
import { NetworkEndpointGroups } from "./network-endpoint-groups.ts";
import { startReadinessGates } from "./readiness-gates.ts";

/**
 * Starts the data path of the simulated Google project. Each load balancer of `cloud` and each Service of
 * type LoadBalancer listens on its own loopback address and forwards to the Milvus pods of the cluster. Sets
 * `cloud.healthOf` and `cloud.checksOf`.
 *
 * @param options `milvus`: all pods forward to it; they start to listen once it has started
 * @throws Error with a remedy if ports below 1024 can't be bound
 */
export async function startLoadBalancers(options: {
  kubeconfig: string;
  cloud: Cloud;
  milvus: Promise<Milvus>;
  timing: Timing;
}): Promise<{ stop(): Promise<void> }> {
  await checkPorts();
  const groups = new NetworkEndpointGroups(options.kubeconfig, options.milvus);
  await groups.start();
  const { kubeconfig, cloud, timing } = options;
  const services = await startServiceController({ kubeconfig, cloud, endpoints: groups });
  const loadBalancers = await serveLoadBalancers(cloud, groups, timing);
  const { healthy } = loadBalancers;
  const readinessGates = await startReadinessGates({ kubeconfig, cloud, groups, healthy, timing });
  return {
    async stop() {
      await readinessGates.stop();
      await Promise.all([loadBalancers.stop(), services.stop()]);
      await groups.stop();
    },
  };
}

/** Serves all load balancers of `cloud` and follows their changes. */
export async function serveLoadBalancers(
  cloud: Cloud,
  endpoints: Endpoints,
  timing: Pick<Timing, "frontendProgramMs"> = DEFAULT_TIMING,
): Promise<{ healthy(backend: BackendService): Endpoint[]; stop(): Promise<void> }> {
  const checks = new HealthChecks(cloud, endpoints);
  const backends = new Backends((backend) => checks.healthy(backend));
  const listeners = new Map<string, Listener>();
  cloud.healthOf = (backend) => checks.healthOf(backend);
  cloud.checksOf = (backend) => checks.checked(backend);

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
        const serving = listeners.get(ingress) ?? new Listener(wanted, cloud, backends, timing);
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
    healthy: (backend) => checks.healthy(backend),
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
    // Any other error concerns this address only, which no load balancer uses.
    if (!(error instanceof Error && "code" in error && error.code === "EACCES")) return;
    throw new Error(
      "The load balancers can't listen on ports 80 and 443: this user may not bind ports below 1024.\n" +
        "What to do: sudo sysctl net.ipv4.ip_unprivileged_port_start=80",
      { cause: error },
    );
  }
}
