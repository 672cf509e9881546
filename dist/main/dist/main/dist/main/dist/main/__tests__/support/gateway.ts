import { once } from "node:events";
import { createServer, type RequestOptions, type ServerResponse } from "node:http";
import { request } from "node:https";
import { listenOnFreePort } from "../../local-gke/listen.ts";

/** The path under which the API server is, as with Rancher and Connect gateway. */
const PREFIX = "/clusters/one";

/** Answers a request itself and returns true, or returns false and it is passed on then. */
export type Interception = (path: string, response: ServerResponse) => boolean | Promise<boolean>;

/** An HTTP server between kubectl and an API server: what happens on the way is up to the test. */
export interface Gateway {
  /** The server of a kubeconfig that needs no credentials. */
  url: string;
  /** The paths that were asked for so far, with their queries. */
  paths: string[];
  /** Asked for each request; undefined passes all on. */
  intercept: Interception | undefined;
  /** The answers that are being streamed to watches. */
  watches: Set<ServerResponse>;
  stop(): Promise<void>;
}

/** Starts a gateway on a free port of 127.0.0.1. */
export async function startGateway(target: { port: number; ca: string; token: string }): Promise<Gateway> {
  const server = createServer(async (asked, response) => {
    const url = asked.url ?? "";
    if (!url.startsWith(`${PREFIX}/`)) {
      response.writeHead(404).end(`no cluster at ${url}`);
      return;
    }
    const path = url.slice(PREFIX.length);
    gateway.paths.push(path);
    if (await gateway.intercept?.(path, response)) return;

    const { "content-type": type, "content-length": length } = asked.headers;
    const options: RequestOptions = {
      method: asked.method,
      headers: {
        authorization: `Bearer ${target.token}`,
        ...(type !== undefined && { "content-type": type }),
        ...(length !== undefined && { "content-length": length }),
      },
    };
    const forward = request({ ...options, host: "127.0.0.1", port: target.port, ca: target.ca, path });
    response.on("close", () => forward.destroy());
    forward.on("error", () => response.destroy());
    forward.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      if (path.includes("watch=1")) {
        gateway.watches.add(response);
        response.on("close", () => gateway.watches.delete(response));
      }
      answer.on("error", () => response.destroy());
      answer.pipe(response);
    });
    asked.pipe(forward);
  });
  const port = await listenOnFreePort(server);
  const gateway: Gateway = {
    url: `http://127.0.0.1:${port}${PREFIX}`,
    paths: [],
    intercept: undefined,
    watches: new Set(),
    stop: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return gateway;
}
