import { EventEmitter, once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Stream } from "node:http2";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { binaries } from "../../local-gke/binaries/binaries.ts";
import type { KeyPair } from "../../local-gke/certificate-authority.ts";
import { type BackendService, Cloud, type LoadBalancer } from "../../local-gke/cloud.ts";
import { startControlPlane } from "../../local-gke/control-plane/control-plane.ts";
import { DEFAULT_TIMING } from "../../local-gke/ingress/timing.ts";
import { listenOnFreePort } from "../../local-gke/listen.ts";
import type { Endpoint, Endpoints } from "../../local-gke/load-balancer/endpoints.ts";
import { READINESS_GATE } from "../../local-gke/load-balancer/gate-condition.ts";
import { serveLoadBalancers, startLoadBalancers } from "../../local-gke/load-balancer/load-balancers.ts";
import { selfSigned } from "../../local-gke/milvus/certificate.ts";
import { proxyConfig } from "../../local-gke/milvus/config.ts";
import { type PodServers, startPod } from "../../local-gke/milvus/pod.ts";
import { type Milvus, startMilvus } from "../../local-gke/milvus/server.ts";
import { installRelease } from "../../local-gke/release.ts";
import { type Output, type Program, run } from "../../src/base/process.ts";

/** Loopback addresses that no local GKE hands out (127.20) and no other run of this test does. */
const NETWORK = `127.${100 + (process.pid % 100)}.${(process.pid >> 8) % 250}`;
const CHART = join(import.meta.dirname, "../../local-gke/chart/milvus");
const HOST = "my-release.milvus.io";
const TLS = "common: { security: { tlsMode: 1 } }\nproxy: { http: { port: 8080 } }";
const TLS_AND_AUTHORIZATION =
  "common: { security: { tlsMode: 1, authorizationEnabled: true } }\nproxy: { http: { port: 8080 } }";
const GET_VERSION = "/milvus.proto.milvus.MilvusService/GetVersion";
const UNAUTHENTICATED = "16";
/** A gRPC frame: not compressed, no bytes. */
const EMPTY_MESSAGE = Buffer.alloc(5);

/** The pods behind one Service, as a test puts them there. */
class Pods extends EventEmitter<{ change: [] }> implements Endpoints {
  readonly #pods: PodServers[] = [];

  of(): Endpoint[] {
    return this.#pods.map(({ ports }, index) => ({
      pod: `default/proxy-${index}`,
      ipAddress: `10.0.0.${index + 1}`,
      node: "node-0",
      port: 19530,
      ports,
      isReady: true,
    }));
  }

  async add(config: string, milvus: Pick<Milvus, "port">, version?: string): Promise<PodServers> {
    const pod = await startPod(proxyConfig([config]), milvus, version);
    pod.setReady(true);
    this.#pods.push(pod);
    this.emit("change");
    return pod;
  }

  remove(pod: PodServers): void {
    this.#pods.splice(this.#pods.indexOf(pod), 1);
    pod.close();
    this.emit("change");
  }

  clear(): void {
    for (const pod of [...this.#pods]) this.remove(pod);
  }
}

let milvus: Milvus;
let certificate: KeyPair;
let directory: string;

beforeAll(async () => {
  [milvus, certificate, directory] = await Promise.all([
    startMilvus(),
    selfSigned(HOST),
    mkdtemp(join(tmpdir(), "data-path-")),
  ]);
});

afterAll(async () => {
  await milvus.stop();
  await rm(directory, { recursive: true });
});

let cloud: Cloud;
let pods: Pods;
let loadBalancers: { stop(): Promise<void> };
let address: string;

beforeEach(async () => {
  cloud = new Cloud(NETWORK);
  pods = new Pods();
  loadBalancers = await serveLoadBalancers(cloud, pods);
  address = cloud.allocateAddress("default/my-release-milvus");
});

afterEach(async () => {
  pods.clear();
  await loadBalancers.stop();
});

describe("PyMilvus", () => {
  it("creates, inserts and searches through the load balancer, with the certificate of the page", async () => {
    await pods.add(TLS_AND_AUTHORIZATION, milvus);
    await program();
    const { exitCode, stdout, stderr } = await python(
      `
from pymilvus import MilvusClient
client = MilvusClient(uri=f"https://{address}:443", token="root:Milvus", secure=True,
                      server_pem_path=pem, server_name=host)
client.create_collection("page", dimension=4)
client.insert("page", [{"id": n, "vector": [n, 1, 2, 3]} for n in range(100)])
hits = client.search("page", data=[[7, 1, 2, 3]], limit=1)
print(client.get_server_version() != "", hits[0][0]["id"])
client.drop_collection("page")
`,
    );
    expect(stderr).not.toMatch(/Traceback/);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "True 7\n" });
  });

  it("refuses a certificate for another name", async () => {
    await pods.add(TLS, milvus);
    await program();
    const { exitCode } = await python(
      `
from pymilvus import MilvusClient
MilvusClient(uri=f"https://{address}:443", secure=True, server_pem_path=pem, server_name="other.milvus.io", timeout=2)
`,
    );
    expect(exitCode).toBe(1);
  });

  it("gets a 502 when Milvus was left without TLS", async () => {
    await pods.add("", milvus);
    await program();
    const { stdout } = await python(
      `
import grpc
credentials = grpc.ssl_channel_credentials(open(pem, "rb").read())
options = [("grpc.ssl_target_name_override", host), ("grpc.default_authority", host)]
with grpc.secure_channel(f"{address}:443", credentials, options) as channel:
    try:
        channel.unary_unary("${GET_VERSION}")(b"", timeout=10)
    except grpc.RpcError as error:
        print(error.code().name, error.details())
`,
    );
    expect(stdout).toMatch(/^UNAVAILABLE .*502/);
  });
});

describe("the frontends", () => {
  it.each([
    { what: "the host of no rule", authority: "other.milvus.io", path: "/", status: 404 },
    { what: "a path of no rule", authority: HOST, path: "/elsewhere", status: 404 },
  ])("answer $what by the default backend", async ({ authority, path, status }) => {
    await pods.add(TLS, milvus);
    await program({ rules: [{ host: HOST, path: "/milvus.proto", pathType: "Prefix", backend: "neg" }] });
    const answer = await call(path, { authority });
    expect(answer).toMatchObject({ status, body: "default backend - 404\n" });
  });

  it("listen on port 80 only while HTTP is allowed", async () => {
    await program();
    await program({ http: true });
    const outgoing = httpRequest({ host: address, path: "/", headers: { host: "other" } }).end();
    const [incoming] = await once(outgoing, "response");
    incoming.resume();
    expect(incoming.statusCode).toBe(404);
    await program({ http: false });
  });

  it("listen on port 443 only while there is a certificate, and nowhere once the load balancer is gone", async () => {
    await program({ certificates: [] });
    await program();
    cloud.removeLoadBalancer("default/my-release-milvus");
    await listens(443, false);
  });

  it("present the certificate for the name asked for, the first one for any other", async () => {
    const other = await selfSigned("other.milvus.io");
    const certificates = [
      { name: "a", ...certificate },
      { name: "b", ...other },
    ];
    await program({ certificates });
    expect(await presented("other.milvus.io")).toBe("CN=other.milvus.io");
    expect(await presented(HOST)).toBe(`CN=${HOST}`);
    expect(await presented("third.milvus.io")).toBe(`CN=${HOST}`);
    expect(await presented(undefined)).toBe(`CN=${HOST}`);
  });

  it("present a replaced certificate to new connections and keep the old ones", async () => {
    await pods.add(TLS, milvus);
    await program();
    await healthy();
    const session = connect(`https://${address}`, { ca: certificate.certificate, servername: HOST });
    try {
      expect(await callOn(session, GET_VERSION)).toMatchObject({ status: 200, grpcStatus: "0" });
      const rotated = await selfSigned(HOST);
      await program({ certificates: [{ name: "new", ...rotated }] });
      await expect(call(GET_VERSION, { ca: rotated.certificate })).resolves.toMatchObject({
        grpcStatus: "0",
      });
      expect(await callOn(session, GET_VERSION)).toMatchObject({ status: 200, grpcStatus: "0" });
      await expect(call(GET_VERSION, { ca: certificate.certificate })).rejects.toThrow(
        /self-signed certificate/,
      );
    } finally {
      session.close();
    }
  });

  it("answer HTTP/1.1 over TLS too", async () => {
    await program();
    const socket = connectTls({ host: address, port: 443, ca: certificate.certificate, servername: HOST });
    socket.end("GET / HTTP/1.1\r\nhost: other\r\nconnection: close\r\n\r\n");
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 404 [\s\S]*default backend - 404/);
  });
});

describe("the backend leg", () => {
  it.each([
    { version: "2.1.4", method: "CheckHealth", grpcStatus: "12" },
    { version: "2.1.4", method: "GetVersion", grpcStatus: UNAUTHENTICATED },
    { version: "2.3.4", method: "CheckHealth", grpcStatus: "2" },
    { version: "2.3.5", method: "CheckHealth", grpcStatus: UNAUTHENTICATED },
  ])("Milvus $version answers $method without a token by status $grpcStatus", async (row) => {
    await pods.add(TLS_AND_AUTHORIZATION, milvus, row.version);
    await program();
    await healthy();
    const answer = await call(`/milvus.proto.milvus.MilvusService/${row.method}`);
    expect(answer).toMatchObject({ status: 200, grpcStatus: row.grpcStatus });
  });

  it("asks Milvus for a token where it is configured so", async () => {
    await pods.add(TLS_AND_AUTHORIZATION, milvus);
    await program();
    await healthy();
    expect(await call(GET_VERSION)).toMatchObject({
      status: 200,
      grpcStatus: UNAUTHENTICATED,
      grpcMessage: encodeURIComponent("missing authorization in header"),
    });
    const authorization = Buffer.from("root:Milvus").toString("base64");
    expect(await call(GET_VERSION, { headers: { authorization } })).toMatchObject({ grpcStatus: "0" });
  });

  it.each([
    { protocol: "HTTP2", config: "", status: 502 },
    { protocol: "HTTP2", config: TLS, status: 200 },
    { protocol: "HTTP", config: "", status: 502 },
    { protocol: "HTTP", config: TLS, status: 502 },
    { protocol: "HTTPS", config: TLS, status: 502 },
    {
      protocol: "HTTP2",
      config: "common: { security: { tlsMode: 2 } }\nproxy: { http: { port: 8080 } }",
      status: 502,
    },
  ] as const)(
    "by $protocol to a Milvus with '$config' gives $status",
    async ({ protocol, config, status }) => {
      await pods.add(config, milvus);
      await program({}, { protocol });
      await healthy();
      expect(await call(GET_VERSION)).toMatchObject({ status });
    },
  );

  it("gives 502 without endpoints, and serves again when there is one", async () => {
    await program();
    expect(await call(GET_VERSION)).toMatchObject({ status: 502 });
    const first = await pods.add(TLS, milvus);
    await healthy();
    expect(await call(GET_VERSION)).toMatchObject({ grpcStatus: "0" });
    pods.remove(first);
    expect(await call(GET_VERSION)).toMatchObject({ status: 502 });
    await pods.add(TLS, milvus);
    await healthy();
    expect(await call(GET_VERSION)).toMatchObject({ grpcStatus: "0" });
  });

  it.each([
    { what: "nothing was answered", answer: () => {}, timeoutSec: 0.05, status: 502 },
    // Long enough for the answer's head to come first, however busy the machine is.
    {
      what: "it is half way",
      answer: (stream: ServerHttp2Stream) => stream.respond(),
      timeoutSec: 5,
      status: undefined,
    },
  ])(
    "cuts what outlasts the backend service's timeout when $what",
    async ({ answer, timeoutSec, status }) => {
      const slow = createServer();
      slow.on("stream", (stream) => {
        stream.on("error", () => {});
        answer(stream);
      });
      await pods.add(TLS, { port: await listenOnFreePort(slow) });
      await program({}, { timeoutSec });
      await healthy();
      if (status) expect(await call(GET_VERSION)).toMatchObject({ status });
      else await expect(call(GET_VERSION)).rejects.toThrow(/aborted|Premature close|closed/);
      pods.clear();
      slow.close();
    },
  );
});

describe("health checks", () => {
  it("follow the readiness behind /healthz", async () => {
    await program();
    const backend = serviceFor({});
    expect(cloud.health(backend)).toBe("Unknown");
    const pod = await pods.add(TLS, milvus);
    await healthy();
    pod.setReady(false);
    await until(() => cloud.health(backend) === "UNHEALTHY");
    expect(await call(GET_VERSION)).toMatchObject({ status: 502 });
    pods.remove(pod);
    expect(cloud.health(backend)).toBe("Unknown");
  });

  it("fail on a path that Milvus does not have, and on its gRPC port", async () => {
    await pods.add(TLS, milvus);
    await program();
    await healthy();
    const check = serviceFor({}).healthCheck;
    cloud.setBackend(serviceFor({ healthCheck: { ...check, requestPath: "/" } }));
    await until(
      () => cloud.health(serviceFor({ healthCheck: { ...check, requestPath: "/" } })) === "UNHEALTHY",
    );
    const onGrpc: BackendService["healthCheck"] = { ...check, type: "HTTP2", port: 19530, requestPath: "/" };
    cloud.setBackend(serviceFor({ healthCheck: onGrpc }));
    await until(() => cloud.health(serviceFor({ healthCheck: onGrpc })) === "UNHEALTHY");
  });
});

describe("in a cluster", () => {
  const stops: (() => Promise<void>)[] = [];
  let helm: Program;
  let kubectl: Program;
  let cluster: Cloud;
  const timing = { ...DEFAULT_TIMING };

  beforeAll(async () => {
    const paths = await binaries(["helm3", "kubectl"]);
    // Nobody presents a token that the API server would have to ask about.
    const controlPlane = await startControlPlane(
      await mkdtemp(join(directory, "cluster-")),
      "http://127.0.0.1:1",
    );
    stops.push(controlPlane.stop);
    const { kubeconfig } = controlPlane;
    cluster = new Cloud(NETWORK);
    const loadBalancers = await startLoadBalancers({
      kubeconfig,
      cloud: cluster,
      milvus: Promise.resolve(milvus),
      timing,
    });
    stops.push(loadBalancers.stop);
    await installRelease({ kubeconfig, helm: paths.helm3 });
    const env = { KUBECONFIG: kubeconfig };
    helm = { name: "helm", path: paths.helm3, env };
    kubectl = { name: "kubectl", path: paths.kubectl, env };
  });

  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  beforeEach(async () => {
    cloud = cluster;
    address = cloud.allocateAddress("default/my-release-milvus");
    await program();
  });

  it("a release as the page's reader has it is healthy, and gives 502 by HTTP2", async () => {
    await healthy();
    expect(await call(GET_VERSION)).toMatchObject({ status: 502 });
  });

  it("an upgrade that sets tlsMode makes it answer, with what else user.yaml says", async () => {
    await upgrade(TLS_AND_AUTHORIZATION, "--wait");
    await vi.waitFor(
      async () => expect(await call(GET_VERSION)).toMatchObject({ status: 200, grpcStatus: UNAUTHENTICATED }),
      100_000,
    );
  });

  describe("a new pod of a Service with the NEG annotation", () => {
    const service = ["service", "my-release-milvus"];

    /** The annotation by which a test knows its new pod: creation times count in whole seconds. */
    const ROUND = "local-gke/round";
    const NEVER_READY = { "local-gke/ready-after": "1h" };
    const READY_AT_ONCE = { "local-gke/ready-after": null };
    let round = 0;
    interface Pod {
      metadata: { annotations?: Record<string, string> };
      status: { podIP?: string; conditions: { type: string; reason: string; message: string }[] };
    }

    beforeAll(async () => {
      await kubectlRun("annotate", ...service, 'cloud.google.com/neg={"ingress":true}');
    });
    afterAll(async () => {
      await kubectlRun("annotate", ...service, "cloud.google.com/neg-");
    });

    it("is ready at once while no load balancer uses its group", async () => {
      cloud.removeBackend("neg");
      expect(await replacePod()).toEqual({
        reason: "LoadBalancerNegReady",
        message: `Pod does not belong to any NEG. Marking condition "${READINESS_GATE}" to True.`,
      });
      await rolledOut();
    });

    it("that isn't ready has its gate open all the same while no load balancer uses its group", async () => {
      cloud.removeBackend("neg");
      expect(await replacePod(NEVER_READY)).toMatchObject({ reason: "LoadBalancerNegReady" });
      const { conditions } = (await newPod()).status;
      expect(conditions).not.toContainEqual(
        expect.objectContaining({ type: "ContainersReady", status: "True" }),
      );
    });

    it("that isn't ready is in the group, where it is unhealthy", async () => {
      expect(await replacePod(NEVER_READY)).toMatchObject({ reason: "LoadBalancerNegNotReady" });
      await vi.waitFor(async () => {
        const { podIP: ipAddress } = (await newPod()).status;
        expect(cloud.checkedEndpoints(serviceFor({}))).toContainEqual(
          expect.objectContaining({ ipAddress, passed: false }),
        );
      }, 100_000);
      await replacePod(READY_AT_ONCE);
      await rolledOut();
    });

    it("is ready once it is healthy in the group", async () => {
      await replacePod();
      await rolledOut();
      expect(await gate()).toEqual({
        reason: "LoadBalancerNegReady",
        message:
          'Pod has become Healthy in NEG "Key{\\"neg\\", zone: \\"us-central1-a\\"}" attached to BackendService ' +
          `"Key{\\"neg\\"}". Marking condition "${READINESS_GATE}" to True.`,
      });
    });

    it("waits for its health check, but not for ever", async () => {
      cloud.setFault("unhealthy-backends", true);
      try {
        expect(await replacePod()).toMatchObject({ reason: "LoadBalancerNegNotReady" });
        const { conditions } = (await newPod()).status;
        expect(conditions).toContainEqual(
          expect.objectContaining({ type: "Ready", reason: "ReadinessGatesNotReady" }),
        );
        timing.readinessGateMs = 0;
        await rolledOut();
        expect(await gate()).toMatchObject({ reason: "LoadBalancerNegTimeout" });
      } finally {
        cloud.setFault("unhealthy-backends", false);
        timing.readinessGateMs = DEFAULT_TIMING.readinessGateMs;
      }
    });

    /** Replaces the proxy's pod, and returns the first condition of the new pod's readiness gate. */
    async function replacePod(annotations = {}): Promise<object | undefined> {
      round += 1;
      const template = { metadata: { annotations: { [ROUND]: String(round), ...annotations } } };
      const patch = JSON.stringify({ spec: { template } });
      await kubectlRun("patch", "deployment/my-release-milvus-proxy", "-p", patch);
      return vi.waitFor(async () => {
        const found = await gate();
        expect(found).toBeDefined();
        return found;
      }, 100_000);
    }

    async function rolledOut(): Promise<void> {
      await kubectlRun("rollout", "status", "deployment/my-release-milvus-proxy", "--timeout=100s");
    }

    async function newPod(): Promise<Pod> {
      const { items }: { items: Pod[] } = JSON.parse(
        await kubectlRun("get", "pods", "-l", "component=proxy", "-o", "json"),
      );
      const pod = items.find(({ metadata }) => metadata.annotations?.[ROUND] === String(round));
      if (!pod) throw new Error(`no pod of round ${round}`);
      return pod;
    }

    async function gate() {
      const { conditions } = (await newPod()).status;
      const found = conditions.find(({ type }) => type === READINESS_GATE);
      return found && { reason: found.reason, message: found.message };
    }
  });

  it("one that leaves HTTP on the same port crashes, while the pod before it goes on serving", async () => {
    await upgrade("common: { security: { tlsMode: 1 } }");
    await vi.waitFor(async () => expect(await reasons()).toContain("CrashLoopBackOff"), 100_000);
    expect(await call(GET_VERSION)).toMatchObject({ status: 200, grpcStatus: UNAUTHENTICATED });
  });

  async function upgrade(userYaml: string, ...flags: string[]): Promise<void> {
    const values = { extraConfigFiles: { "user.yaml": userYaml } };
    const { exitCode, stderr } = await run(
      helm,
      ["upgrade", "my-release", CHART, "--reset-then-reuse-values", "--values", "-", ...flags],
      { input: JSON.stringify(values) },
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  }

  async function kubectlRun(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await run(kubectl, args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    return stdout;
  }

  /** Returns why containers of the proxies wait. */
  async function reasons(): Promise<string> {
    const path = "jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}";
    return (await run(kubectl, ["get", "pods", "--selector", "component=proxy", "--output", path])).stdout;
  }
});

function serviceFor(changes: Partial<BackendService>): BackendService {
  return {
    name: "neg",
    namespace: "default",
    service: "my-release-milvus",
    port: 19530,
    protocol: "HTTP2",
    timeoutSec: 30,
    healthCheck: { type: "HTTP", port: 9091, requestPath: "/healthz", checkIntervalSec: 15, timeoutSec: 15 },
    ...changes,
  };
}

/** Programs the load balancer as the ingress controller does, and resolves when it is served. */
async function program(changes: Partial<LoadBalancer> = {}, service: Partial<BackendService> = {}) {
  const loadBalancer = {
    ingress: "default/my-release-milvus",
    address,
    http: false,
    certificates: [{ name: "k8s2-cr", ...certificate }],
    rules: [{ host: HOST, path: "/", pathType: "Prefix" as const, backend: "neg" }],
    ...changes,
  };
  cloud.setBackend(serviceFor(service));
  cloud.setLoadBalancer(loadBalancer);
  await Promise.all([listens(443, loadBalancer.certificates.length > 0), listens(80, loadBalancer.http)]);
}

/** Resolves when every backend service is healthy. */
async function healthy() {
  await until(() => [...cloud.backends.values()].every((backend) => cloud.health(backend) === "HEALTHY"));
}

function until(condition: () => boolean): Promise<void> {
  return vi.waitFor(() => expect(condition()).toBe(true), { timeout: 100_000, interval: 10 });
}

/** Resolves when a port of the load balancer is open, or refuses. */
function listens(port: number, open: boolean): Promise<void> {
  const state = () =>
    dial(port).then(
      () => true,
      (error) => error.code !== "ECONNREFUSED",
    );
  return vi.waitFor(async () => expect(await state()).toBe(open), { timeout: 100_000, interval: 10 });
}

async function dial(port: number): Promise<void> {
  const socket = connectTcp({ host: address, port });
  await once(socket, "connect");
  socket.destroy();
}

/** Returns the subject of the certificate that a client gets when it asks for this name. */
async function presented(servername: string | undefined): Promise<string> {
  const socket = connectTls({
    host: address,
    port: 443,
    rejectUnauthorized: false,
    ...(servername && { servername }),
  });
  await once(socket, "secureConnect");
  const subject = socket.getPeerX509Certificate()?.subject;
  socket.destroy();
  return subject ?? "";
}

interface Answer {
  status: number | undefined;
  grpcStatus: string | undefined;
  grpcMessage: string | undefined;
  body: string;
}

/** Makes an empty gRPC call on a connection of its own. */
async function call(
  path: string,
  options: { authority?: string; headers?: OutgoingHttpHeaders; ca?: string } = {},
): Promise<Answer> {
  const session = connect(`https://${address}`, {
    ca: options.ca ?? certificate.certificate,
    servername: HOST,
  });
  try {
    return await callOn(session, path, { ":authority": options.authority ?? HOST, ...options.headers });
  } finally {
    session.close();
  }
}

async function callOn(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = { ":authority": HOST },
): Promise<Answer> {
  const failed = once(session, "error").then(([error]) => Promise.reject(error));
  failed.catch(() => {});
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  let trailers: IncomingHttpHeaders = {};
  stream.once("trailers", (received) => {
    trailers = received;
  });
  const response = once(stream, "response");
  stream.end(EMPTY_MESSAGE);
  const [head] = await Promise.race([response, failed]);
  const body = await text(stream);
  const all = { ...head, ...trailers };
  return {
    status: all[":status"],
    grpcStatus: all["grpc-status"],
    grpcMessage: all["grpc-message"],
    body,
  };
}

/** Runs a Python program with PyMilvus that knows `address`, `host` and the path `pem`. */
async function python(code: string): Promise<Output> {
  const pem = join(directory, "tls.crt");
  await writeFile(pem, certificate.certificate);
  const variables = `address, host, pem = ${JSON.stringify([address, HOST, pem])}\n`;
  return run({ name: "python", path: milvus.python }, ["-c", variables + code]);
}
