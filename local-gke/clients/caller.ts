import { setTimeout as delay } from "node:timers/promises";
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
const ATTEMPTS = 5;

/** A client of Milvus that keeps its connections, as clients do. */
export class Caller {
  readonly #host: string;
  readonly #ways: () => Promise<readonly WayIn[]>;
  readonly #deadlineMs: number;
  readonly #pauseMs: number;
  readonly #metadata = new Metadata();
  readonly #clients = new Map<string, Client>();

  /**
   * @param options `host`: for the load balancer's routing; `token`: `user:password`; `ways`: asked at each
   *   attempt; `deadlineMs`: of an attempt; `pauseMs`: between two, and until a broken connection is made
   *   again: short, to see outages rather than gRPC's own backoff
   */
  constructor(options: {
    host: string;
    token: string;
    ways: () => Promise<readonly WayIn[]>;
    deadlineMs: number;
    pauseMs: number;
  }) {
    this.#host = options.host;
    this.#ways = options.ways;
    this.#deadlineMs = options.deadlineMs;
    this.#pauseMs = options.pauseMs;
    this.#metadata.set("authorization", Buffer.from(options.token).toString("base64"));
  }

  /** Makes a call. As clients do, it connects again when a connection breaks. */
  async call(): Promise<Call> {
    const begun = performance.now();
    for (let attempt = 1; ; attempt += 1) {
      const answeredBy = await this.#attempt();
      if (answeredBy.length > 0 || attempt === ATTEMPTS) return { begun, answeredBy };
      await delay(this.#pauseMs);
    }
  }

  close(): void {
    this.#closeAllBut([]);
  }

  async #attempt(): Promise<Call["answeredBy"]> {
    const ways = await this.#ways();
    this.#closeAllBut(ways);
    const tries = ways.map(async (way) => ((await this.#try(way)) ? [way.name] : []));
    return (await Promise.all(tries)).flat();
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
      "grpc.initial_reconnect_backoff_ms": this.#pauseMs,
      "grpc.max_reconnect_backoff_ms": this.#pauseMs,
    });
    this.#clients.set(keyOf(way), client);
    return client;
  }
}

function keyOf({ address, tls }: WayIn): string {
  return `${address} ${tls}`;
}
