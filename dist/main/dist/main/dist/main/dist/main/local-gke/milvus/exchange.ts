import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import { type ClientHttp2Session, connect, constants, type ServerHttp2Stream } from "node:http2";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { pipeline, type Readable } from "node:stream";
import { pipeline as pipelineToEnd } from "node:stream/promises";

/** A request in any version of HTTP. */
export interface Request {
  method: string;
  path: string;
  authority: string;
  /** IP address of the client. */
  client: string;
  /** Without pseudo-headers and connection headers. */
  headers: IncomingHttpHeaders;
  body: Readable;
  /** Aborted if the client no longer waits for the response. */
  signal: AbortSignal;
}

/** A response in any version of HTTP. */
export interface Response {
  status: number;
  headers: OutgoingHttpHeaders;
  /** Undefined if the headers end the response, as in gRPC's trailers-only responses. */
  body: Readable | undefined;
  /** Available after the end of the body. Undefined if the body is incomplete. */
  trailers(): OutgoingHttpHeaders | undefined;
}

export type Handler = (request: Request) => Promise<Response>;

export function response(status: number, headers: OutgoingHttpHeaders, body?: Readable): Response {
  return { status, headers, body, trailers: () => ({}) };
}

/** Answers a stream of an HTTP/2 server. If the handler fails, the stream is reset. */
export function answerHttp2(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, handler: Handler): void {
  const gone = new AbortController();
  stream.once("close", () => gone.abort());
  // After a reset by the client, "close" follows and cancels the work.
  stream.on("error", () => {});
  const answer = (from: Response) => {
    if (stream.destroyed || stream.closed) {
      from.body?.destroy();
      return;
    }
    const head = { ":status": from.status, ...from.headers };
    if (!from.body) {
      stream.respond(head, { endStream: true });
      return;
    }
    stream.respond(head, { waitForTrailers: true });
    stream.once("wantTrailers", () => {
      const trailers = from.trailers();
      if (trailers) stream.sendTrailers(trailers);
      else stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    });
    // Both sides already notice an early end.
    pipeline(from.body, stream, () => {});
  };
  handler({
    method: String(headers[":method"]),
    path: String(headers[":path"]),
    authority: String(headers[":authority"] ?? headers.host ?? ""),
    client: stream.session?.socket.remoteAddress ?? "",
    headers: endToEnd(headers),
    body: stream,
    signal: gone.signal,
  }).then(answer, () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
}

/** Answers a request of an HTTP/1.1 server. If the handler fails, the connection is closed. */
export function answerHttp1(incoming: IncomingMessage, outgoing: ServerResponse, handler: Handler): void {
  const gone = new AbortController();
  outgoing.once("close", () => gone.abort());
  const answer = async (from: Response) => {
    outgoing.writeHead(from.status, from.headers);
    if (from.body) await pipelineToEnd(from.body, outgoing, { end: false });
    if (from.trailers()) outgoing.end();
    else outgoing.destroy();
  };
  handler({
    method: incoming.method ?? "GET",
    path: incoming.url ?? "/",
    authority: incoming.headers.host ?? "",
    client: incoming.socket.remoteAddress ?? "",
    headers: endToEnd(incoming.headers),
    body: incoming,
    signal: gone.signal,
  })
    .then(answer)
    .catch(() => outgoing.destroy());
}

/** A client of an HTTP/2 server. It connects on demand and reconnects after a lost connection. */
export class Http2Client {
  readonly #origin: string;
  #session: ClientHttp2Session | undefined;

  /** @param origin `https:` uses TLS without verifying the certificate; `http:` uses plaintext */
  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Forwards a request and resolves with the response's headers. */
  forward(request: Request): Promise<Response> {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const stream = this.#connected().request({
      ":method": request.method,
      ":path": request.path,
      ":authority": request.authority,
      ":scheme": this.#origin.startsWith("https:") ? "https" : "http",
      ...request.headers,
    });
    let trailers: OutgoingHttpHeaders = {};
    const cancel = () => stream.close(constants.NGHTTP2_CANCEL);
    request.signal.addEventListener("abort", cancel);
    stream.once("response", ({ ":status": status, ...headers }, flags) => {
      const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      if (ended) stream.resume();
      resolve({
        status: status ?? 502,
        headers: endToEnd(headers),
        body: ended ? undefined : stream,
        // A reset stream also ends, so the reset code shows whether it is complete.
        trailers: () => (stream.rstCode === constants.NGHTTP2_NO_ERROR ? trailers : undefined),
      });
    });
    stream.once("trailers", (received) => {
      trailers = endToEnd(received);
    });
    stream.on("error", reject);
    stream.once("close", () => {
      request.signal.removeEventListener("abort", cancel);
      reject(new Error("the connection was closed before a response"));
    });
    if (request.signal.aborted) cancel();
    else request.body.pipe(stream);
    return promise;
  }

  /** Closes the connection after the requests in progress. */
  close(): void {
    this.#session?.close();
  }

  #connected(): ClientHttp2Session {
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const session = connect(this.#origin, { rejectUnauthorized: false });
    // Each request of the session fails with the same error and handles it.
    session.on("error", () => {});
    this.#session = session;
    return session;
  }
}

/**
 * Forwards a request over HTTP/1.1 and resolves with the response's headers.
 *
 * @param origin `https:` uses TLS without verifying the certificate
 */
export function forwardHttp1(origin: string, request: Request): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const options = {
    method: request.method,
    headers: { ...request.headers, host: request.authority },
    signal: request.signal,
  };
  const url = new URL(request.path, origin);
  const outgoing =
    url.protocol === "https:"
      ? httpsRequest(url, { ...options, agent: new HttpsAgent({ rejectUnauthorized: false }) })
      : httpRequest(url, { ...options, agent: new HttpAgent() });
  outgoing.once("response", (incoming) =>
    resolve({
      status: incoming.statusCode ?? 502,
      headers: endToEnd(incoming.headers),
      body: incoming,
      trailers: () => (incoming.complete ? incoming.trailers : undefined),
    }),
  );
  outgoing.on("error", reject);
  request.body.pipe(outgoing);
  return promise;
}

/** Headers of a single connection (RFC 9110, 7.6.1), and `host`, which becomes the authority. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "host",
]);

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !name.startsWith(":") && !HOP_BY_HOP.has(name)),
  );
}
