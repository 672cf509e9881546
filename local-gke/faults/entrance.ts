import { connect, createServer, type Socket } from "node:net";
import { listenOnFreePort } from "../listen.ts";

/** Another way to a load balancer. It ends every connection until it is opened. */
export interface Entrance {
  /** `host:port` */
  address: string;
  /** @param address IP address of the load balancer */
  open(address: string): void;
  close(): Promise<void>;
}

export async function startEntrance(): Promise<Entrance> {
  let target: string | undefined;
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
    const upstream = connect(443, target);
    keep(upstream);
    client.pipe(upstream).pipe(client);
    client.once("close", () => upstream.destroy());
    upstream.once("close", () => client.destroy());
  });
  const port = await listenOnFreePort(server);
  return {
    address: `127.0.0.1:${port}`,
    open: (address) => {
      target = address;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
