import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { messageOf } from "../../src/base/errors.ts";
import { listenOnFreePort } from "../listen.ts";

export interface JsonServer {
  url: string;
  stop(): Promise<void>;
}

interface Call {
  /** What follows the resource in the path, decoded; empty when nothing does. */
  name: string;
  /** The parsed body, or undefined when there is none. */
  body: unknown;
}

/** Answers a call; undefined is a 404, what it throws is a 400 with the message as `error`. */
export type Handler = (call: Call) => object | undefined;

/**
 * Serves JSON over HTTP on a free port of 127.0.0.1.
 *
 * @param handlers by method and resource, e.g. `PUT /faults` for `PUT /faults/NAME`
 */
export async function serveJson(handlers: Record<string, Handler>): Promise<JsonServer> {
  const answer = async (request: IncomingMessage): Promise<[status: number, body: object]> => {
    try {
      const [, resource, name = ""] = (request.url ?? "").split(/[/?]/);
      const handler = handlers[`${request.method} /${resource}`];
      const result = handler?.({ name: decodeURIComponent(name), body: await bodyOf(request) });
      return result ? [200, result] : [404, { error: `there is no ${request.method} ${request.url}` }];
    } catch (error) {
      return [400, { error: messageOf(error) }];
    }
  };
  const server = createServer(async (request, response) => {
    const [status, body] = await answer(request);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  const port = await listenOnFreePort(server);
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  return encoding !== undefined || Number(length ?? 0) > 0 ? await json(request) : undefined;
}
