import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { HOST } from "../bench/lab.ts";

/** An address at which clients call Milvus. */
export interface MilvusEndpoint {
  name: string;
  /** `host:port` */
  address: string;
  tls: boolean;
}

/** One call, sent to every endpoint in parallel. */
export interface Call {
  /** By performance.now(). */
  begun: number;
  /** Names of the endpoints that responded; empty if the call failed. */
  answeredBy: string[];
}

const GET_VERSION = "/milvus.proto.milvus.MilvusService/GetVersion";
const INTERVAL_MS = 50;
const DEADLINE_MS = 1000;
/** Short, to measure outages rather than gRPC's own backoff. */
const RECONNECT_MS = 100;

/** Calls Milvus at a fixed interval at all endpoints, without waiting for earlier calls. */
export class Caller {
  readonly #clients = new Map<string, Client>();
  readonly #calls: Promise<Call>[] = [];
  readonly #metadata = new Metadata();
  readonly #timer: NodeJS.Timeout;

  /** @param token for Milvus: `user:password` */
  constructor(token: string) {
    this.#metadata.set("authorization", Buffer.from(token).toString("base64"));
    this.#timer = setInterval(() => this.#calls.push(this.#call()), INTERVAL_MS);
  }

  add({ name, address, tls }: MilvusEndpoint): void {
    // This measures availability, so any certificate will do.
    const security = tls
      ? credentials.createSsl(null, null, null, { rejectUnauthorized: false })
      : credentials.createInsecure();
    const client = new Client(address, security, {
      ...(tls && { "grpc.ssl_target_name_override": HOST }),
      "grpc.default_authority": HOST,
      "grpc.initial_reconnect_backoff_ms": RECONNECT_MS,
      "grpc.max_reconnect_backoff_ms": RECONNECT_MS,
    });
    this.#clients.set(name, client);
  }

  /** Stops calling and returns all calls in order. */
  async stop(): Promise<Call[]> {
    clearInterval(this.#timer);
    const calls = await Promise.all(this.#calls);
    for (const client of this.#clients.values()) client.close();
    return calls;
  }

  /** Makes one call beside those at the interval. */
  once(): Promise<Call> {
    return this.#call();
  }

  async #call(): Promise<Call> {
    const begun = performance.now();
    const tries = [...this.#clients].map(async ([name, client]) => ((await this.#try(client)) ? [name] : []));
    return { begun, answeredBy: (await Promise.all(tries)).flat() };
  }

  #try(client: Client): Promise<boolean> {
    const deadline = Date.now() + DEADLINE_MS;
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
}
