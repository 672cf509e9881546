import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { listenOnFreePort } from "./listen.ts";

export interface ConnectProxy {
  /** For HTTPS_PROXY. */
  url: string;
  /** The `host:port` of every CONNECT so far. */
  connects: string[];
  stop(): void;
}

/**
 * Starts a proxy on loopback that tunnels by CONNECT and refuses all else, as a company's proxy does.
 *
 * @param resolve maps the requested host to the address to connect to
 */
export async function startConnectProxy(
  resolve: (host: string) => string = (host) => host,
): Promise<ConnectProxy> {
  const connects: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => response.writeHead(405).end());
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("connect", ({ url = "" }, client, head) => {
    connects.push(url);
    const { hostname, port } = new URL(`tcp://${url}`);
    const upstream = connect(Number(port), resolve(hostname), () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on("error", () => client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
    client.on("error", () => upstream.destroy());
    client.once("close", () => upstream.destroy());
  });
  const port = await listenOnFreePort(server);
  return {
    url: `http://127.0.0.1:${port}`,
    connects,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
