import { createServer as createHttpServer } from "node:http";
import { performServerHandshake } from "node:http2";
import type { Server } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import type { Cloud, LoadBalancer, SslCertificate } from "../cloud.ts";
import type { Timing } from "../ingress/timing.ts";
import { listenAt } from "../listen.ts";
import { answerHttp1, answerHttp2, type Handler, response } from "../milvus/exchange.ts";
import { type Backends, invalidIapCredentials, notFound } from "./backend.ts";
import { certificateFor, secureContext } from "./certificates.ts";
import { refusedBy } from "./cloud-armor.ts";
import { backendFor } from "./url-map.ts";

/** The ports of one load balancer: 443 while it has certificates, 80 while it allows HTTP. */
export class Listener {
  readonly address: string;
  readonly #handler: Handler;
  /** Handles requests without TLS. */
  readonly #plainHandler: Handler;
  readonly #closers = new Map<Server, () => Promise<void>>();
  readonly #timing: Pick<Timing, "frontendProgramMs">;
  readonly #created = performance.now();
  #loadBalancer: LoadBalancer;
  #http: Server | undefined;
  #https: TlsServer | undefined;

  constructor(
    loadBalancer: LoadBalancer,
    cloud: Cloud,
    backends: Backends,
    timing: Pick<Timing, "frontendProgramMs">,
  ) {
    this.address = loadBalancer.address;
    this.#timing = timing;
    this.#loadBalancer = loadBalancer;
    this.#handler = async (request) => {
      const name = backendFor(this.#loadBalancer.rules, request.authority, request.path);
      const backend = name === undefined ? undefined : cloud.backends.get(name);
      if (!backend) return notFound(request);
      const policy = cloud.securityPolicies.get(backend.securityPolicy ?? "");
      const refused = policy && refusedBy(policy, request);
      if (refused) return refused;
      if (cloud.hasFaultIn(backend.namespace, "identity-aware-proxy")) return invalidIapCredentials(request);
      return backends.forward(backend, request);
    };
    this.#plainHandler = async (request) => {
      const status = this.#loadBalancer.httpRedirect;
      if (status === undefined) return this.#handler(request);
      return response(status, { location: `https://${request.authority}${request.path}` });
    };
  }

  /** Applies rules and certificates without closing connections. Opens and closes ports as needed. */
  async update(loadBalancer: LoadBalancer): Promise<void> {
    this.#loadBalancer = loadBalancer;
    if (loadBalancer.certificates.length > 0) {
      const https = this.#https ?? this.#httpsServer();
      // For clients without SNI. The SNI callback serves the others.
      const first = this.#certificateFor(undefined);
      https.setSecureContext(first ? { cert: first.certificate, key: first.privateKey } : {});
      if (!this.#https) await this.#open(https, 443);
      this.#https = https;
    } else {
      await this.#close(this.#https);
      this.#https = undefined;
    }
    if (loadBalancer.http) {
      this.#http ??= await this.#open(
        createHttpServer((req, res) => answerHttp1(req, res, this.#plainHandler)),
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

  #certificateFor(serverName: string | undefined): SslCertificate | undefined {
    if (performance.now() < this.#created + this.#timing.frontendProgramMs) return undefined;
    return certificateFor(this.#loadBalancer.certificates, serverName);
  }

  #httpsServer(): TlsServer {
    const http1 = createHttpServer((req, res) => answerHttp1(req, res, this.#handler));
    const server = createTlsServer({
      ALPNProtocols: ["h2", "http/1.1"],
      SNICallback: (serverName, done) => {
        const certificate = this.#certificateFor(serverName);
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
      // The session closes itself after a protocol or connection error.
      session.on("error", () => {});
    });
    return server;
  }

  async #open<T extends Server>(server: T, port: number): Promise<T> {
    this.#closers.set(server, await listenAt(server, port, this.address));
    return server;
  }

  async #close(server: Server | undefined): Promise<void> {
    const close = server && this.#closers.get(server);
    if (!close) return;
    this.#closers.delete(server);
    await close();
  }
}
