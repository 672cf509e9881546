import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { Readable } from "node:stream";
import { authenticationError } from "./authorization.ts";
import type { ProxyConfig } from "./config.ts";
import { answerHttp1, type Handler, response } from "./exchange.ts";

/** merr.ErrNeedAuthenticate in milvus-io/milvus. */
const NEED_AUTHENTICATE = JSON.stringify({ code: 1800, message: "user hasn't authenticated" });

/**
 * Returns Milvus's RESTful server, as far as its login goes: milvus-lite has no such API. Behind the login it
 * knows no path. With TLS it has the certificate of the gRPC port (milvus-io/milvus,
 * internal/distributed/proxy/listener_manager.go).
 */
export function restServer(config: ProxyConfig, tls: { cert: string; key: string } | undefined) {
  const handler: Handler = async (request) => {
    request.body.resume();
    const [, token = ""] = /^Bearer (.*)$/.exec(request.headers.authorization ?? "") ?? [];
    const isRefused = config.authorization && authenticationError(btoa(token)) !== undefined;
    if (isRefused) {
      const headers = { "content-type": "application/json; charset=utf-8" };
      return response(401, headers, Readable.from([NEED_AUTHENTICATE]));
    }
    return response(404, { "content-type": "text/plain" }, Readable.from(["404 page not found"]));
  };
  if (!tls) return createHttpServer((request, reply) => answerHttp1(request, reply, handler));
  return createHttpsServer(tls, (request, reply) => answerHttp1(request, reply, handler));
}
