import { createServer } from "node:http";
import { listenOnFreePort } from "../listen.ts";
import type { PodServers } from "./pod.ts";

/** Whether a container's image is Attu, with any tag. */
export function isAttu(image: string): boolean {
  return /(^|\/)zilliz\/attu(:|@|$)/.test(image);
}

/** Starts the server of a pod of Attu 2: its page, which needs no login yet, at every path. */
export async function startAttu(): Promise<PodServers> {
  const server = createServer((_, reply) => {
    reply.writeHead(200, { "content-type": "text/html; charset=UTF-8" }).end("<title>Attu</title>");
  });
  const port = await listenOnFreePort(server);
  return {
    ports: new Map([[3000, port]]),
    setReady() {},
    close() {
      server.close();
      server.closeIdleConnections();
    },
  };
}
