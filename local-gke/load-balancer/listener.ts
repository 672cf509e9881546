import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { performServerHandshake } from "node:http2";
import type { Server, Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import type { Cloud, LoadBalancer } from "../cloud.ts";
import { answerHttp1, answerHttp2, type Handler } from "../milvus/exchange.ts";
import { type Backends, notFound } from "./backend.ts";
import { certificateFor, secureContext } from "./certificates.ts";
import { backendFor } from "./url-map.ts";

/** The frontends of one load balancer: port 443 while it has certificates, port 80 while it allows HTTP. */
export class Listener {
  readonly address: string;
  readonly #handler: Handler;
  readonly #sockets = new Map<Server, Set<Socket>>();
  #loadBalancer: LoadBalancer;
  #http: Server | undefined;
  #https: TlsServer | undefined;

  constructor(loadBalancer: LoadBalancer, cloud: Cloud, backends: Backends) {
    this.address = loadBalancer.address;
    this.#loadBalancer = loadBalancer;
    this.#handler = async (request) => {
      const name = backendFor(this.#loadBalancer.rules, request.authority, request.path);
      const backend = name === undefined ? undefined : cloud.backends.get(name);
      return backend ? backends.forward(backend, request) : notFound(request);
    };
  }

  /** Takes over rules and certificates without touching a connection; opens and closes ports as needed. */
  async update(loadBalancer: LoadBalancer): Promise<void> {
    this.#loadBalancer = loadBalancer;
    const [first] = loadBalancer.certificates;
    if (first) {
      const https = this.#https ?? this.#httpsServer();
      // For clients that name no server; the others are served by the SNI callback.
      https.setSecureContext({ cert: first.certificate, key: first.privateKey });
      if (!this.#https) await this.#open(https, 443);
      this.#https = https;
    } else {
      await this.#close(this.#https);
      this.#https = undefined;
    }
    if (loadBalancer.http) {
      this.#http ??= await this.#open(
        createHttpServer((req, res) => answerHttp1(req, res, this.#handler)),
        80,
      );
    } else {
      await this.#close(this.#http);
      this.#http = undefined;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#close(this.#https), this.#close(this.#http)]);
  }

  #httpsServer(): TlsServer {
    const http1 = createHttpServer((req, res) => answerHttp1(req, res, this.#handler));
    const server = createTlsServer({
      ALPNProtocols: ["h2", "http/1.1"],
      SNICallback: (serverName, done) => {
        const certificate = certificateFor(this.#loadBalancer.certificates, serverName);
        done(null, certificate && secureContext(certificate));
      },
    });
    server.on("secureConnection", (socket) => {
      if (socket.alpnProtocol !== "h2") {
        http1.emit("connection", socket);
        return;
      }
      const session = performServerHandshake(socket);
      session.on("stream", (stream, headers) => answerHttp2(stream, headers, this.#handler));
      // A client that breaks the protocol or the connection: the session closes itself.
      session.on("error", () => {});
    });
    return server;
  }

  async #open<T extends Server>(server: T, port: number): Promise<T> {
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    server.listen(port, this.address);
    await once(server, "listening");
    this.#sockets.set(server, sockets);
    return server;
  }

  async #close(server: Server | undefined): Promise<void> {
    const sockets = server && this.#sockets.get(server);
    if (!sockets) return;
    this.#sockets.delete(server);
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  }
}
