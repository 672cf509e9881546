import { connect, createServer, type Socket } from "node:net";
import { listenOnFreePort } from "../listen.ts";

/**
 * A TCP connection to a server, which knows nothing of what passes. It ends every
 * connection until it has a target.
 */
export interface Wire {
  /** `host:port` of its own. */
  address: string;
  /** @param target `host:port` */
  lead(target: string): void;
  /**
   * Passes nothing on from or to the connections that there are, and doesn't end them. Later ones are whole.
   */
  lose(): void;
  close(): Promise<void>;
}

export async function startWire(): Promise<Wire> {
  let target: { host: string; port: number } | undefined;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    keep(client);
    if (target === undefined) {
      client.destroy();
      return;
    }
    const upstream = connect(target);
    keep(upstream);
    client.pipe(upstream).pipe(client);
    client.once("close", () => upstream.destroy());
    upstream.once("close", () => client.destroy());
  });
  const port = await listenOnFreePort(server);
  return {
    address: `127.0.0.1:${port}`,
    lead: (address) => {
      const { hostname: host, port } = new URL(`tcp://${address}`);
      target = { host, port: Number(port) };
    },
    lose: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
