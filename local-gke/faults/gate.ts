import {
  createServer as createHttpServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer, request as secureRequest } from "node:https";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { listenOnFreePort } from "../listen.ts";
import { selfSigned } from "../milvus/certificate.ts";

/**
 * A server in front of another one. It passes requests on, and can fail in the ways
 * that networks and servers do.
 */
export interface Gate {
  /** Its own URL, without a path. */
  url: string;
  /** Its certificate as PEM; undefined if it speaks plain HTTP. */
  certificate: string | undefined;
  /** Passes requests on again. */
  open(): Promise<void>;
  /** Ends all connections and refuses new ones, as a server that has been killed. */
  shut(): Promise<void>;
  /** Ends all connections once. */
  cut(): void;
  /** Responds to each request with this status. */
  respond(status: number): void;
  /** Accepts requests and never responds. */
  silence(): void;
  /** Passes each request on after this many milliseconds. */
  slow(milliseconds: number): void;
  /** Ends it for good. */
  close(): Promise<void>;
}

type Behaviour = { kind: "pass"; delayMs: number } | { kind: "silent" } | { kind: "status"; status: number };

const PASS: Behaviour = { kind: "pass", delayMs: 0 };

/**
 * Starts a gate.
 *
 * @param target URL of the server behind it
 * @param caCertificate PEM, of a target that speaks HTTPS. Then the gate does too,
 *   with a certificate of its own.
 */
export async function startGate(target: string, caCertificate?: string): Promise<Gate> {
  let behaviour: Behaviour = PASS;
  const sockets = new Set<Socket>();
  const pairs = caCertificate === undefined ? undefined : await selfSigned("127.0.0.1");
  const upstream = new URL(target);

  const passOn = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const options = { method: incoming.method, path: incoming.url, headers: incoming.headers };
    const forwarded = pairs
      ? secureRequest(upstream, { ...options, ca: caCertificate })
      : request(upstream, options);
    const abandon = () => outgoing.destroy();
    forwarded.on("error", abandon);
    forwarded.on("response", (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      // The caller has to see that a stream is open before its first line.
      outgoing.flushHeaders();
      pipeline(response, outgoing).catch(abandon);
    });
    outgoing.on("close", () => forwarded.destroy());
    pipeline(incoming, forwarded).catch(abandon);
  };
  const handle = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (behaviour.kind === "silent") return;
    if (behaviour.kind === "status") {
      incoming.resume();
      outgoing.writeHead(behaviour.status, { "content-type": "application/json" });
      outgoing.end(JSON.stringify(statusObject(behaviour.status)));
      return;
    }
    if (behaviour.delayMs === 0) passOn(incoming, outgoing);
    else setTimeout(() => passOn(incoming, outgoing), behaviour.delayMs);
  };

  const server = pairs
    ? createHttpsServer({ cert: pairs.certificate, key: pairs.privateKey }, handle)
    : createHttpServer(handle);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
  });
  const port = await listenOnFreePort(server);
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const shut = async () => {
    if (!server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    cut();
    await closed;
  };
  return {
    url: `${pairs ? "https" : "http"}://127.0.0.1:${port}`,
    certificate: pairs?.certificate,
    async open() {
      behaviour = PASS;
      if (server.listening) return;
      await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    },
    shut,
    cut,
    respond(status) {
      behaviour = { kind: "status", status };
    },
    silence() {
      behaviour = { kind: "silent" };
    },
    slow(delayMs) {
      behaviour = { kind: "pass", delayMs };
    },
    close: shut,
  };
}

/** What an API server says with a status. Google's APIs read `error` instead. */
function statusObject(code: number): object {
  const reason = { 401: "Unauthorized", 429: "TooManyRequests" }[code] ?? "InternalError";
  const message = { 401: "Unauthorized", 429: "Too many requests, please try again later." }[code];
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: message ?? "an error on the server has prevented the request from succeeding",
    reason,
    code,
    error: { code, message: message ?? "Internal error", status: "UNAVAILABLE" },
  };
}
