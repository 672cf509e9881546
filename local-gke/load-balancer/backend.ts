import type { OutgoingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import type { BackendService } from "../cloud.ts";
import { forwardHttp1, Http2Client, type Request, type Response, response } from "../milvus/exchange.ts";
import type { Endpoint } from "./endpoints.ts";

/** Sends requests to the healthy endpoints of backend services, in turn. */
export class Backends {
  readonly #healthy: (backend: BackendService) => Endpoint[];
  readonly #clients = new Map<number, Http2Client>();
  #turn = 0;

  constructor(healthy: (backend: BackendService) => Endpoint[]) {
    this.#healthy = healthy;
  }

  /**
   * Forwards a request by the backend service's protocol. HTTP2 is spoken over TLS only; the certificate is not
   * verified. Without a healthy endpoint, and when the endpoint does not answer properly, the response is a 502;
   * what takes longer than the backend service's timeout is cut off.
   */
  async forward(backend: BackendService, request: Request): Promise<Response> {
    const endpoints = this.#healthy(backend);
    const endpoint = endpoints[this.#turn++ % endpoints.length];
    const loopback = endpoint?.ports.get(endpoint.port);
    if (loopback === undefined) return serverError(request);

    const limited = withTimeout(request, backend.timeoutSec * 1000);
    try {
      if (backend.protocol === "HTTP2") return await this.#client(loopback).forward(limited);
      return await forwardHttp1(`${backend.protocol.toLowerCase()}://127.0.0.1:${loopback}`, limited);
    } catch {
      // The client learns no more from Google's load balancer either.
      return serverError(request);
    }
  }

  /** Closes the connections to endpoints that are no more. */
  keepOnly(endpoints: Endpoint[]): void {
    const kept = new Set(endpoints.map((endpoint) => endpoint.ports.get(endpoint.port)));
    for (const [loopback, client] of this.#clients) {
      if (kept.has(loopback)) continue;
      client.close();
      this.#clients.delete(loopback);
    }
  }

  #client(loopback: number): Http2Client {
    const known = this.#clients.get(loopback);
    if (known) return known;
    const client = new Http2Client(`https://127.0.0.1:${loopback}`);
    this.#clients.set(loopback, client);
    return client;
  }
}

/** Returns the request with a limit on how long it may take as a whole, as a backend service has it. */
function withTimeout(request: Request, ms: number): Request {
  const expired = new AbortController();
  const timer = setTimeout(() => expired.abort(), ms);
  request.signal.addEventListener("abort", () => clearTimeout(timer));
  return { ...request, signal: AbortSignal.any([request.signal, expired.signal]) };
}

/** Returns the answer of the default backend, which serves what no rule is for. */
export function notFound(request: Request): Response {
  return text(request, 404, "default backend - 404\n");
}

function serverError(request: Request): Response {
  return text(
    request,
    502,
    "Error: Server Error\nThe server encountered a temporary error and could not complete your request.\n" +
      "Please try again in 30 seconds.\n",
  );
}

function text(request: Request, status: number, body: string): Response {
  request.body.resume();
  const headers: OutgoingHttpHeaders = { "content-type": "text/plain; charset=utf-8" };
  return response(status, headers, Readable.from([body]));
}
