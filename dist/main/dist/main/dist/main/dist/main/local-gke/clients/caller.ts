import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { WayIn } from "./ways-in.ts";

/** One call, sent in all ways in parallel. */
export interface Call {
  /** By performance.now(). */
  begun: number;
  /** Names of the ways in which Milvus answered; empty if the call failed. */
  answeredBy: readonly WayIn["name"][];
}

const GET_VERSION = "/milvus.proto.milvus.MilvusService/GetVersion";
/** Short, to see outages rather than gRPC's own backoff. */
const RECONNECT_MS = 20;

/** A client of Milvus that keeps its connections, as clients do. */
export class Caller {
  readonly #host: string;
  readonly #ways: () => Promise<readonly WayIn[]>;
  readonly #deadlineMs: number;
  readonly #metadata = new Metadata();
  readonly #clients = new Map<string, Client>();

  /** @param options `host`: for the load balancer's routing; `token`: `user:password`; `ways`: asked at each call */
  constructor(options: {
    host: string;
    token: string;
    ways: () => Promise<readonly WayIn[]>;
    deadlineMs: number;
  }) {
    this.#host = options.host;
    this.#ways = options.ways;
    this.#deadlineMs = options.deadlineMs;
    this.#metadata.set("authorization", Buffer.from(options.token).toString("base64"));
  }

  async call(): Promise<Call> {
    const begun = performance.now();
    const ways = await this.#ways();
    this.#closeAllBut(ways);
    const tries = ways.map(async (way) => ((await this.#try(way)) ? [way.name] : []));
    return { begun, answeredBy: (await Promise.all(tries)).flat() };
  }

  close(): void {
    this.#closeAllBut([]);
  }

  #closeAllBut(ways: readonly WayIn[]): void {
    const wanted = new Set(ways.map(keyOf));
    for (const [key, client] of this.#clients) {
      if (wanted.has(key)) continue;
      this.#clients.delete(key);
      client.close();
    }
  }

  #try(way: WayIn): Promise<boolean> {
    const client = this.#clients.get(keyOf(way)) ?? this.#connect(way);
    const deadline = Date.now() + this.#deadlineMs;
    const bytes = (message: Buffer) => message;
    return new Promise((resolve) => {
      client.makeUnaryRequest(
        GET_VERSION,
        bytes,
        bytes,
        Buffer.alloc(0),
        this.#metadata,
        { deadline },
        (error) => resolve(error === null),
      );
    });
  }

  #connect(way: WayIn): Client {
    // This is about availability, so any certificate will do.
    const security = way.tls
      ? credentials.createSsl(null, null, null, { rejectUnauthorized: false })
      : credentials.createInsecure();
    const client = new Client(way.address, security, {
      ...(way.tls && { "grpc.ssl_target_name_override": this.#host }),
      "grpc.default_authority": this.#host,
      "grpc.initial_reconnect_backoff_ms": RECONNECT_MS,
      "grpc.max_reconnect_backoff_ms": RECONNECT_MS,
    });
    this.#clients.set(keyOf(way), client);
    return client;
  }
}

function keyOf({ address, tls }: WayIn): string {
  return `${address} ${tls}`;
}
