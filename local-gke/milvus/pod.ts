import { createServer as createHttpServer } from "node:http";
import { createSecureServer, createServer, type ServerHttp2Session } from "node:http2";
import { listenOnFreePort } from "../listen.ts";
import { refusal } from "./authorization.ts";
import { selfSigned } from "./certificate.ts";
import type { ProxyConfig } from "./config.ts";
import { answerHttp2, type Handler, Http2Client, type Request, type Response, response } from "./exchange.ts";
import type { Milvus } from "./server.ts";

// Codes of gRPC's statuses.
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/** A pod of Milvus's proxy or standalone component, as it listens. */
export interface MilvusPod {
  /** Where on 127.0.0.1 a container's port is: 19530 for gRPC, 9091 for `/healthz`. */
  ports: ReadonlyMap<number, number>;
  /** What `/healthz` answers: 200 when ready, else 500. */
  setReady(ready: boolean): void;
  /** Takes no new connections, lets the calls under way end, and closes. */
  close(): void;
}

// The Milvus image brings one certificate for all of its pods, for localhost too.
let imageCertificate: ReturnType<typeof selfSigned> | undefined;

/** Starts what a pod with this configuration listens with, in front of `milvus`. It is not ready at first. */
export async function startPod(config: ProxyConfig, milvus: Pick<Milvus, "port">): Promise<MilvusPod> {
  const upstream = new Http2Client(`http://127.0.0.1:${milvus.port}`);
  const handler: Handler = async (request) => {
    // As grpc-go has it: a health check that asks the gRPC port for a page gets no 200.
    if (request.method !== "POST") return refuse(request, response(405, {}));
    if (!request.headers["content-type"]?.startsWith("application/grpc"))
      return refuse(request, response(415, {}));
    const refused = config.authorization ? refusal(request.headers.authorization) : undefined;
    if (refused !== undefined) return refuse(request, grpcStatus(UNAUTHENTICATED, refused));
    return upstream.forward(request).catch(unavailable);
  };
  const grpc = await grpcServer(config.tlsMode);
  const sessions = new Set<ServerHttp2Session>();
  grpc.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  grpc.on("stream", (stream, headers) => answerHttp2(stream, headers, handler));

  let ready = false;
  const management = createHttpServer((request, reply) => {
    if (request.url !== "/healthz") reply.writeHead(404).end();
    else if (ready) reply.writeHead(200).end("OK");
    else reply.writeHead(500).end("component proxy state is Initializing");
  });
  const [grpcPort, managementPort] = await Promise.all([
    listenOnFreePort(grpc),
    listenOnFreePort(management),
  ]);
  return {
    ports: new Map([
      [19530, grpcPort],
      [9091, managementPort],
    ]),
    setReady(value) {
      ready = value;
    },
    close() {
      grpc.close();
      management.close();
      management.closeIdleConnections();
      for (const session of sessions) session.close();
      upstream.close();
    },
  };
}

async function grpcServer(tlsMode: number) {
  if (tlsMode === 0) return createServer();
  imageCertificate ??= selfSigned("localhost");
  const { certificate: cert, privateKey: key } = await imageCertificate;
  const mutual = tlsMode > 1;
  const server = createSecureServer({ cert, key, requestCert: mutual, rejectUnauthorized: mutual });
  // A client that offers no h2 is shown the door, as by grpc-go.
  server.on("unknownProtocol", (socket) => socket.destroy());
  return server;
}

/** Returns the answer to a request of which nothing more is read. */
function refuse(request: Request, answer: Response): Response {
  request.body.resume();
  return answer;
}

function unavailable(error: unknown): Response {
  return grpcStatus(
    UNAVAILABLE,
    `Milvus does not answer: ${error instanceof Error ? error.message : String(error)}`,
  );
}

/** Returns a gRPC response that carries nothing but a status. */
function grpcStatus(code: number, message: string): Response {
  return response(200, {
    "content-type": "application/grpc",
    "grpc-status": String(code),
    "grpc-message": encodeURIComponent(message),
  });
}
