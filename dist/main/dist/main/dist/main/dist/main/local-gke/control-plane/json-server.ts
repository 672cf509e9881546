import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { messageOf } from "../../src/base/errors.ts";
import { listenOnFreePort } from "../listen.ts";

export interface JsonServer {
  url: string;
  stop(): Promise<void>;
}

export interface JsonCall {
  /** The decoded path segment after the resource; empty without one. */
  name: string;
  /** Undefined without a body. */
  body: unknown;
}

/** Returns the response body. Undefined responds 404; an error responds 400 with its message as `error`. */
export type JsonHandler = (call: JsonCall) => object | undefined;

/**
 * Serves JSON over HTTP on a free port of 127.0.0.1.
 *
 * @param handlers keyed by method and resource: `PUT /faults` handles `PUT /faults/NAME`
 */
export async function serveJson(handlers: Record<string, JsonHandler>): Promise<JsonServer> {
  const answer = async (request: IncomingMessage): Promise<[status: number, body: object]> => {
    try {
      const [, resource, name = ""] = (request.url ?? "").split(/[/?]/);
      const handler = handlers[`${request.method} /${resource}`];
      const result = handler?.({ name: decodeURIComponent(name), body: await bodyOf(request) });
      return result ? [200, result] : [404, { error: `${request.method} ${request.url} does not exist` }];
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
