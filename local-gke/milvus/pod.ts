import { createServer as createHttpServer } from "node:http";
import { createSecureServer, createServer, type ServerHttp2Session } from "node:http2";
import { listenOnFreePort } from "../listen.ts";
import { authenticationError } from "./authorization.ts";
import { selfSigned } from "./certificate.ts";
import type { ProxyConfig } from "./config.ts";
import { answerHttp2, type Handler, Http2Client, type Request, type Response, response } from "./exchange.ts";
import { restServer } from "./rest.ts";
import type { Milvus } from "./server.ts";
import { hasCheckHealth, refusesAsUnknown } from "./versions.ts";

// gRPC status codes.
const UNKNOWN = 2;
const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/** From grpc-go. */
const NO_CHECK_HEALTH = "unknown method CheckHealth for service milvus.proto.milvus.MilvusService";

/** The servers of a pod. */
export interface PodServers {
  /**
   * Maps container ports to ports of 127.0.0.1. Of Milvus: 19530 for gRPC, 9091 for
   * `/healthz`, and that of REST.
   */
  ports: ReadonlyMap<number, number>;
  /** `/healthz` responds 200 if ready, else 500. */
  setReady(ready: boolean): void;
  /** Refuses new connections and closes existing ones after the calls in progress. */
  close(): void;
}

// The Milvus image contains one certificate for all pods. Its name is localhost.
let imageCertificate: ReturnType<typeof selfSigned> | undefined;

/**
 * Starts the servers of a pod of Milvus's proxy or standalone component, which forward to `milvus`.
 * The pod is not ready at first.
 *
 * @param version Milvus's version. Old ones respond in their own way.
 */
export async function startPod(
  config: ProxyConfig,
  milvus: Pick<Milvus, "port">,
  version?: string,
): Promise<PodServers> {
  const upstream = new Http2Client(`http://127.0.0.1:${milvus.port}`);
  const handler: Handler = async (request) => {
    // As in grpc-go, an HTTP health check of the gRPC port does not get a 200.
    if (request.method !== "POST") return refuse(request, response(405, {}));
    if (!request.headers["content-type"]?.startsWith("application/grpc"))
      return refuse(request, response(415, {}));
    if (request.path.endsWith("/CheckHealth") && !hasCheckHealth(version)) {
      return refuse(request, grpcStatus(UNIMPLEMENTED, NO_CHECK_HEALTH));
    }
    const refused = config.authorization ? authenticationError(request.headers.authorization) : undefined;
    const refusal = refusesAsUnknown(version) ? UNKNOWN : UNAUTHENTICATED;
    if (refused !== undefined) return refuse(request, grpcStatus(refusal, refused));
    return upstream.forward(request).catch(unavailable);
  };
  const tls = await tlsOf(config.tlsMode);
  const grpc = grpcServer(config.tlsMode, tls);
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
  const rest = restServer(config, tls);
  const [grpcPort, managementPort, restPort] = await Promise.all([
    listenOnFreePort(grpc),
    listenOnFreePort(management),
    config.restPort === undefined ? undefined : listenOnFreePort(rest),
  ]);
  const ports = new Map([
    [19530, grpcPort],
    [9091, managementPort],
  ]);
  if (config.restPort !== undefined && restPort !== undefined) ports.set(config.restPort, restPort);
  return {
    ports,
    setReady(value) {
      ready = value;
    },
    close() {
      grpc.close();
      management.close();
      management.closeIdleConnections();
      rest.close();
      rest.closeIdleConnections();
      for (const session of sessions) session.close();
      upstream.close();
    },
  };
}

/** Returns the certificate of the image; undefined without TLS. */
async function tlsOf(tlsMode: number): Promise<{ cert: string; key: string } | undefined> {
  if (tlsMode === 0) return undefined;
  imageCertificate ??= selfSigned("localhost");
  const { certificate: cert, privateKey: key } = await imageCertificate;
  return { cert, key };
}

function grpcServer(tlsMode: number, tls: { cert: string; key: string } | undefined) {
  if (!tls) return createServer();
  const mutual = tlsMode > 1;
  const server = createSecureServer({ ...tls, requestCert: mutual, rejectUnauthorized: mutual });
  // As in grpc-go, a client that does not offer h2 is disconnected.
  server.on("unknownProtocol", (socket) => socket.destroy());
  return server;
}

/** Discards the rest of the request. */
function refuse(request: Request, answer: Response): Response {
  request.body.resume();
  return answer;
}

function unavailable(error: unknown): Response {
  return grpcStatus(
    UNAVAILABLE,
    `Milvus does not respond: ${error instanceof Error ? error.message : String(error)}`,
  );
}

/** A gRPC response with a status only. */
function grpcStatus(code: number, message: string): Response {
  return response(200, {
    "content-type": "application/grpc",
    "grpc-status": String(code),
    "grpc-message": encodeURIComponent(message),
  });
}
