import type { OutgoingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import type { BackendService } from "../cloud.ts";
import { forwardHttp1, Http2Client, type Request, type Response, response } from "../milvus/exchange.ts";
import type { Endpoint } from "./endpoints.ts";

/** Forwards requests to the healthy endpoints of backend services, round robin. */
export class Backends {
  readonly #healthy: (backend: BackendService) => Endpoint[];
  readonly #clients = new Map<number, Http2Client>();
  #turn = 0;

  constructor(healthy: (backend: BackendService) => Endpoint[]) {
    this.#healthy = healthy;
  }

  /**
   * Forwards a request in the backend service's protocol. HTTP2 requires TLS; the certificate is not
   * verified. The response is a 502 without a healthy endpoint or a valid response. The backend service's
   * timeout limits the whole exchange.
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
      // Google's load balancer does not give a reason either.
      return serverError(request);
    }
  }

  /** Closes the connections to all other endpoints. */
  keepOnly(endpoints: Endpoint[]): void {
    const kept = new Set(endpoints.map((endpoint) => endpoint.ports.get(endpoint.port)));
    for (const [loopback, client] of this.#clients) {
      if (kept.has(loopback)) continue;
      client.close();
      this.#clients.delete(loopback);
    }
  }

  #client(loopback: number): Http2Client {
    const existing = this.#clients.get(loopback);
    if (existing) return existing;
    const client = new Http2Client(`https://127.0.0.1:${loopback}`);
    this.#clients.set(loopback, client);
    return client;
  }
}

/** Limits the duration of a whole request. */
function withTimeout(request: Request, ms: number): Request {
  const expired = new AbortController();
  const timer = setTimeout(() => expired.abort(), ms);
  request.signal.addEventListener("abort", () => clearTimeout(timer));
  return { ...request, signal: AbortSignal.any([request.signal, expired.signal]) };
}

/** The response of the default backend, which serves requests without a matching rule. */
export function notFound(request: Request): Response {
  return text(request, 404, "default backend - 404\n");
}

/** The response of Identity-Aware Proxy to a request without a token for it. */
export function invalidIapCredentials(request: Request): Response {
  request.body.resume();
  const headers = { "content-type": "text/html; charset=UTF-8", "x-goog-iap-generated-response": "true" };
  return response(401, headers, Readable.from(["Invalid IAP credentials: empty token"]));
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
