import { getCACertificates } from "node:tls";
import {
  type ChannelOptions,
  Client,
  credentials,
  logVerbosity,
  Metadata,
  setLogVerbosity,
} from "@grpc/grpc-js";
import protobuf from "protobufjs/minimal.js";
import { loginOf } from "../base/https-proxy.ts";

/** A call of milvus.proto whose request is empty. */
interface Method<T> {
  path: string;
  /** Takes the fields that this action uses. */
  read(answer: Buffer): T;
}

const SERVICE = "/milvus.proto.milvus.MilvusService";

const GET_VERSION: Method<{ version: string }> = {
  path: `${SERVICE}/GetVersion`,
  read: (answer) => {
    const result = { version: "" };
    readFields(answer, {
      2: (reader) => {
        result.version = reader.string();
      },
    });
    return result;
  },
};

const CHECK_HEALTH: Method<{ isHealthy: boolean; reasons: string[] }> = {
  path: `${SERVICE}/CheckHealth`,
  read: (answer) => {
    const result = { isHealthy: false, reasons: [] as string[] };
    readFields(answer, {
      2: (reader) => {
        result.isHealthy = reader.bool();
      },
      3: (reader) => result.reasons.push(reader.string()),
    });
    return result;
  },
};

/** @param fields what reads a field, by its number; others are skipped */
function readFields(message: Buffer, fields: Record<number, (reader: protobuf.Reader) => void>): void {
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    // A field begins with its number and, in three bits, the type of its value.
    const key = reader.uint32();
    const read = fields[key >>> 3];
    if (read) read(reader);
    else reader.skipType(key & 7);
  }
}

interface CallOptions {
  /** Milliseconds since the epoch. */
  deadline: number;
  token: string | undefined;
  /** Cancels the call, which then rejects. */
  signal: AbortSignal;
}

/** The calls of Milvus's gRPC API that a connection check needs. They reject with a ServiceError. */
export interface MilvusClient {
  getVersion(options: CallOptions): Promise<{ version: string }>;
  /** If a component is down, Milvus answers with `isHealthy: false` and reasons, not with an error. */
  checkHealth(options: CallOptions): Promise<{ isHealthy: boolean; reasons: string[] }>;
  close(): void;
}

/** Where a client connects. */
export interface Destination {
  /** `host:port`. */
  address: string;
  /** Sent as SNI and `:authority`: the load balancer chooses the certificate and the backend by it. */
  host: string;
  /** PEM of the trusted authorities; undefined for the system's. */
  ca: string | undefined;
  /** The proxy to connect through, if there is one. */
  proxy: URL | undefined;
}

/** Returns a client of the Milvus at a destination. */
export function connect(target: Destination): MilvusClient {
  const client = new Client(
    target.proxy ? `${target.proxy.hostname}:${target.proxy.port || 80}` : target.address,
    // Without authorities gRPC would take those of GRPC_DEFAULT_SSL_ROOTS_FILE_PATH instead of Node.js's own,
    // and refuse a certificate that the TLS check has trusted.
    credentials.createSsl(Buffer.from(target.ca ?? getCACertificates().join("\n"))),
    {
      "grpc.ssl_target_name_override": target.host,
      "grpc.default_authority": target.host,
      // By default the pause between connection attempts grows to two minutes, in which calls fail with the
      // old error.
      "grpc.max_reconnect_backoff_ms": 2000,
      ...proxyOptions(target),
    },
  );
  const call = <T>({ path, read }: Method<T>, { deadline, token, signal }: CallOptions) =>
    new Promise<T>((resolve, reject) => {
      const metadata = new Metadata();
      // Milvus reads the base64 of `user:password` or of an API key (milvus-io/pymilvus, grpc_handler.py).
      if (token !== undefined) metadata.set("authorization", Buffer.from(token).toString("base64"));
      const request = client.makeUnaryRequest(
        path,
        () => Buffer.alloc(0),
        read,
        {},
        metadata,
        { deadline },
        (error, response) => {
          signal.removeEventListener("abort", cancel);
          if (error || response === undefined) reject(error ?? new Error(`${path} has no answer`));
          else resolve(response);
        },
      );
      const cancel = () => request.cancel();
      signal.addEventListener("abort", cancel);
    });
  return {
    getVersion: (options) => call(GET_VERSION, options),
    checkHealth: (options) => call(CHECK_HEALTH, options),
    close: () => client.close(),
  };
}

/** grpc-js itself reads lower-case variables only, `http_proxy` among them (grpc/grpc-node#1292). */
function proxyOptions({ proxy, address }: Destination): ChannelOptions {
  if (!proxy) return { "grpc.enable_http_proxy": 0 };
  // It would log each refused attempt. The caller finds out why.
  setLogVerbosity(logVerbosity.NONE);
  const login = loginOf(proxy);
  return {
    "grpc.enable_http_proxy": 0,
    "grpc.http_connect_target": `dns:${address}`,
    ...(login !== undefined && { "grpc.http_connect_creds": login }),
  };
}
