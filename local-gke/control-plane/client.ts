import { KubeConfig, type RequestContext } from "@kubernetes/client-node";
import type { ApiServer } from "./api.ts";

/**
 * client-node opens a connection for every request and every watch; the TLS handshakes
 * took a tenth of the CPU time.
 */
class WithOneConnection extends KubeConfig {
  #dispatcher: ReturnType<RequestContext["getDispatcher"]>;

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    this.#dispatcher ??= context.getDispatcher();
    if (this.#dispatcher) context.setDispatcher(this.#dispatcher);
  }
}

/** Reads a kubeconfig for clients whose requests share a connection. */
export function kubeConfigFrom(file: string): KubeConfig {
  const config = new WithOneConnection();
  config.loadFromFile(file);
  return config;
}

/** Reads how to reach the API server from a kubeconfig that local-gke has written. */
export function apiServerOf(file: string): ApiServer {
  const config = kubeConfigFrom(file);
  const cluster = config.getCurrentCluster();
  return {
    port: Number(new URL(cluster?.server ?? "").port),
    caCertificate: Buffer.from(cluster?.caData ?? "", "base64").toString(),
    token: config.getCurrentUser()?.token ?? "",
  };
}
