import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { CHART, useCluster } from "../integration/support/cluster.ts";

const PATIENCE = { timeout: 100_000 };
const GET_VERSION = "/milvus.proto.milvus.MilvusService/GetVersion";
/** A gRPC frame: not compressed, no bytes. */
const EMPTY_MESSAGE = Buffer.alloc(5);
const TLS = "common: { security: { tlsMode: 1 } }\nproxy: { http: { port: 8080 } }\n";
const NAMES = ["service/my-release-milvus", "-o"];

const cluster = useCluster();
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function service(namespace: string, path: string): Promise<string> {
  return cluster.kubectl("get", "-n", namespace, ...NAMES, `jsonpath=${path}`);
}

/** Resolves with the address of the layer-4 load balancer, once there is one. */
async function addressOf(namespace: string): Promise<string> {
  const address = "--for=jsonpath={.status.loadBalancer.ingress[0].ip}";
  await cluster.kubectl("wait", address, "-n", namespace, "service/my-release-milvus", "--timeout=300s");
  return service(namespace, "{.status.loadBalancer.ingress[0].ip}");
}

/** Resolves with the gRPC status of a call, and rejects when nobody answers it. */
async function getVersion(origin: string): Promise<unknown> {
  const session = connectHttp2(origin, { rejectUnauthorized: false });
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": GET_VERSION,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const answered = Promise.withResolvers<unknown>();
    session.on("error", answered.reject);
    stream.on("error", answered.reject);
    stream.on("response", (headers) => headers["grpc-status"] && answered.resolve(headers["grpc-status"]));
    stream.on("trailers", (trailers) => answered.resolve(trailers["grpc-status"]));
    stream.on("close", () => answered.reject(new Error("closed without a status")));
    stream.end(EMPTY_MESSAGE);
    stream.resume();
    return await answered.promise;
  } finally {
    session.destroy();
  }
}

function dial(host: string, port: number): Promise<Socket> {
  const socket = connect(port, host);
  sockets.push(socket);
  socket.on("error", () => {});
  return once(socket, "connect").then(() => socket);
}

async function upgrade(namespace: string, values: object): Promise<void> {
  const flags = ["-n", namespace, "--reset-then-reuse-values", "--wait", "--timeout=300s"];
  await cluster.helm("upgrade", "my-release", CHART, ...flags, "--set-json", JSON.stringify(values));
}

test("a Service of type LoadBalancer leads to Milvus, plaintext or TLS, until it has another type", async () => {
  await cluster.installSmall("layer4");
  const address = await addressOf("layer4");
  expect(await service("layer4", "{.metadata.finalizers}")).toBe(
    '["service.kubernetes.io/load-balancer-cleanup"]',
  );
  // Milvus answers that it wants a token.
  await vi.waitFor(async () => expect(await getVersion(`http://${address}:19530`)).toBe("16"), PATIENCE);
  const metrics = await fetch(`http://${address}:9091/healthz`);
  expect([metrics.status, await metrics.text()]).toEqual([200, "OK"]);

  await upgrade("layer4", { extraConfigFiles: { "user.yaml": TLS } });
  expect(await addressOf("layer4")).toBe(address);
  await vi.waitFor(async () => expect(await getVersion(`https://${address}:19530`)).toBe("0"), PATIENCE);
  await expect(getVersion(`http://${address}:19530`)).rejects.toThrow();

  const idle = await dial(address, 19530);
  const dropped = once(idle, "close");
  await upgrade("layer4", { service: { type: "ClusterIP" } });
  await dropped;
  await expect(dial(address, 19530)).rejects.toThrow("ECONNREFUSED");
  await expect(dial(address, 9091)).rejects.toThrow("ECONNREFUSED");
  await vi.waitFor(async () => expect(await service("layer4", "{.metadata.finalizers}")).toBe(""), PATIENCE);
  expect(await service("layer4", "{.status.loadBalancer}")).toBe("{}");

  const events = ["get", "events", "-n", "layer4", "-o", "jsonpath={.items[*].reason}"];
  const about = "--field-selector=involvedObject.name=my-release-milvus,source=service-controller";
  const reasons = [
    "EnsuringLoadBalancer",
    "EnsuredLoadBalancer",
    "DeletingLoadBalancer",
    "DeletedLoadBalancer",
  ];
  await vi.waitFor(
    async () => expect(await cluster.kubectl(...events, about)).toBe(reasons.join(" ")),
    PATIENCE,
  );
});

test("its address goes with the Service; without a ready pod connections to it are reset", async () => {
  const notReady = { annotations: { "local-gke/ready-after": "1h" } };
  await cluster.installSmall("layer4-deleted", { service: { type: "LoadBalancer" }, ...notReady });
  const address = await addressOf("layer4-deleted");
  const socket = connect(19530, address);
  sockets.push(socket);
  const [error] = await once(socket, "error");
  expect(error).toMatchObject({ code: "ECONNRESET" });

  await cluster.kubectl("delete", "-n", "layer4-deleted", "service/my-release-milvus", "--timeout=300s");
  await expect(dial(address, 19530)).rejects.toThrow("ECONNREFUSED");
});

test("ports that the Service gains and loses are opened and closed", async () => {
  await cluster.installSmall("layer4-ports");
  const address = await addressOf("layer4-ports");
  await vi.waitFor(() => dial(address, 19530), PATIENCE);
  const ports = [{ name: "milvus", port: 19531, targetPort: "milvus" }];
  const patch = [{ op: "replace", path: "/spec/ports", value: ports }];
  await cluster.kubectl(
    "patch",
    "-n",
    "layer4-ports",
    NAMES[0] ?? "",
    "--type=json",
    "-p",
    JSON.stringify(patch),
  );
  await vi.waitFor(() => dial(address, 19531), PATIENCE);
  await expect(dial(address, 19530)).rejects.toThrow("ECONNREFUSED");
  expect(await addressOf("layer4-ports")).toBe(address);
});
