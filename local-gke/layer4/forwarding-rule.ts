import { connect, createServer, type Socket } from "node:net";
import { pipeline } from "node:stream";
import { listenAt } from "../listen.ts";

/** The frontend of a passthrough load balancer: an address whose ports lead to pods, whatever is spoken there. */
export class ForwardingRule {
  readonly #address: string;
  readonly #pod: (port: number) => number | undefined;
  readonly #ports = new Map<number, () => Promise<void>>();

  /** @param pod returns where on 127.0.0.1 a ready pod serves the port; undefined while none does */
  constructor(address: string, pod: (port: number) => number | undefined) {
    this.#address = address;
    this.#pod = pod;
  }

  /** Opens and closes ports until it listens to these; one that closes drops its connections. */
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
      // As kube-proxy answers for a Service without a ready pod.
      client.resetAndDestroy();
      return;
    }
    const pod = connect({ port: loopback, host: "127.0.0.1", noDelay: true });
    // When one end is lost the other one is closed: that is all the client is to learn.
    pipeline(client, pod, client, () => {});
  }
}
