import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { HOST } from "../bench/lab.ts";

/** A way to Milvus. */
export interface Front {
  name: string;
  /** `host:port` */
  address: string;
  tls: boolean;
}

/** One call, tried through every front at once. */
export interface Call {
  /** By performance.now(). */
  begun: number;
  /** Names of the fronts through which Milvus answered; none when the call failed. */
  answeredThrough: string[];
}

const GET_VERSION = "/milvus.proto.milvus.MilvusService/GetVersion";
const INTERVAL_MS = 50;
const DEADLINE_MS = 1000;
/** Soon, else it would be gRPC's patience that is measured. */
const RECONNECT_MS = 100;

/** Calls Milvus all the time through whichever front there is: at a steady pace, whatever becomes of the calls before. */
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

  add({ name, address, tls }: Front): void {
    // What is measured is whether Milvus answers: whose certificate it is doesn't matter here.
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

  /** Ends it and returns all calls, the first one first. */
  async stop(): Promise<Call[]> {
    clearInterval(this.#timer);
    const calls = await Promise.all(this.#calls);
    for (const client of this.#clients.values()) client.close();
    return calls;
  }

  async #call(): Promise<Call> {
    const begun = performance.now();
    const tries = [...this.#clients].map(async ([name, client]) => ((await this.#try(client)) ? [name] : []));
    return { begun, answeredThrough: (await Promise.all(tries)).flat() };
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
