import { connect, createServer, type Socket } from "node:net";
import { pipeline } from "node:stream";
import { listenAt } from "../listen.ts";

/** A passthrough load balancer: an address that forwards TCP connections to pods. */
export class PassthroughLoadBalancer {
  readonly #address: string;
  readonly #pod: (port: number) => number | undefined;
  readonly #ports = new Map<number, () => Promise<void>>();

  /** @param pod maps a port to the port of a ready pod on 127.0.0.1; undefined if no pod is ready */
  constructor(address: string, pod: (port: number) => number | undefined) {
    this.#address = address;
    this.#pod = pod;
  }

  /** Opens and closes ports to match `ports`. Closing a port closes its connections. */
  async setPorts(ports: readonly number[]): Promise<void> {
    const surplus = [...this.#ports].filter(([port]) => !ports.includes(port));
    await Promise.all(
      surplus.map(([port, close]) => {
        this.#ports.delete(port);
        return close();
      }),
    );
    for (const port of ports) {
      if (this.#ports.has(port)) continue;
      const server = createServer({ noDelay: true }, (socket) => this.#forward(socket, port));
      this.#ports.set(port, await listenAt(server, port, this.#address));
    }
  }

  #forward(client: Socket, port: number): void {
    const loopback = this.#pod(port);
    if (loopback === undefined) {
      // kube-proxy does this for a Service without a ready pod.
      client.resetAndDestroy();
      return;
    }
    const pod = connect({ port: loopback, host: "127.0.0.1", noDelay: true });
    // If one side fails, the pipeline closes the other. There is nothing else to report.
    pipeline(client, pod, client, () => {});
  }
}
