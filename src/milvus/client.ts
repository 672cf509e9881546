import { getCACertificates } from "node:tls";
import {
  type ChannelOptions,
  Client,
  credentials,
  logVerbosity,
  Metadata,
  type MethodDefinition,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { fromJSON, type ServiceDefinition } from "@grpc/proto-loader";
import * as v from "valibot";
import { loginOf } from "../base/https-proxy.ts";

/** The two calls of milvus.proto that need no collection, with the fields that this action reads. */
const MILVUS_PROTO: Parameters<typeof fromJSON>[0] = {
  nested: {
    milvus: {
      nested: {
        proto: {
          nested: {
            milvus: {
              nested: {
                GetVersionRequest: { fields: {} },
                GetVersionResponse: { fields: { version: { type: "string", id: 2 } } },
                CheckHealthRequest: { fields: {} },
                CheckHealthResponse: {
                  fields: {
                    isHealthy: { type: "bool", id: 2 },
                    reasons: { rule: "repeated", type: "string", id: 3 },
                  },
                },
                MilvusService: {
                  methods: {
                    GetVersion: {
                      requestType: "GetVersionRequest",
                      responseType: "GetVersionResponse",
                      comment: "",
                    },
                    CheckHealth: {
                      requestType: "CheckHealthRequest",
                      responseType: "CheckHealthResponse",
                      comment: "",
                    },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
};

const SERVICE = "milvus.proto.milvus.MilvusService";
const VersionResponse = v.object({ version: v.string() });
const HealthResponse = v.object({ isHealthy: v.boolean(), reasons: v.array(v.string()) });

interface CallOptions {
  /** Milliseconds since the epoch. */
  deadline: number;
  token: string | undefined;
  /** Cancels the call, which then rejects. */
  signal: AbortSignal;
}

/** The calls of Milvus's gRPC API that a connection check needs. They reject with a ServiceError. */
export interface MilvusClient {
  getVersion(options: CallOptions): Promise<v.InferOutput<typeof VersionResponse>>;
  /** If a component is down, Milvus answers with `isHealthy: false` and reasons, not with an error. */
  checkHealth(options: CallOptions): Promise<v.InferOutput<typeof HealthResponse>>;
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
  const definition = fromJSON(MILVUS_PROTO, { defaults: true })[SERVICE];
  if (!isService(definition)) throw new Error(`${SERVICE} is not defined`);
  const client = new Client(
    target.proxy ? `${target.proxy.hostname}:${target.proxy.port || 80}` : target.address,
    // Without authorities gRPC would take those of GRPC_DEFAULT_SSL_ROOTS_FILE_PATH instead of Node.js's own, and refuse a
    // certificate that the TLS check has trusted.
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
  const call = (
    method: MethodDefinition<object, object> | undefined,
    { deadline, token, signal }: CallOptions,
  ) =>
    new Promise<unknown>((resolve, reject) => {
      if (!method) throw new Error(`${SERVICE} lacks a method`);
      const metadata = new Metadata();
      // Milvus reads the base64 of `user:password` or of an API key (milvus-io/pymilvus, grpc_handler.py).
      if (token !== undefined) metadata.set("authorization", Buffer.from(token).toString("base64"));
      const request = client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        {},
        metadata,
        { deadline },
        (error, response) => {
          signal.removeEventListener("abort", cancel);
          if (error) reject(error);
          else resolve(response);
        },
      );
      const cancel = () => request.cancel();
      signal.addEventListener("abort", cancel);
    });
  return {
    getVersion: async (options) => v.parse(VersionResponse, await call(definition.GetVersion, options)),
    checkHealth: async (options) => v.parse(HealthResponse, await call(definition.CheckHealth, options)),
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

function isService(definition: unknown): definition is ServiceDefinition {
  return typeof definition === "object" && definition !== null && "GetVersion" in definition;
}
