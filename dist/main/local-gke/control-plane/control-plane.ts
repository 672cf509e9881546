import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../src/base/errors.ts";
import { binaries } from "../binaries/binaries.ts";
import { type ApiServer, callApi } from "./api.ts";
import { type Child, startChild } from "./children.ts";
import { kubeconfig } from "./kubeconfig.ts";
import { INITIAL_OBJECTS } from "./objects.ts";
import { makePki } from "./pki.ts";
import { freePorts } from "./ports.ts";
import {
  argumentsOf,
  CLIENTS,
  filesIn,
  PORTS,
  PROGRAMS,
  type ProgramName,
  SERVERS,
  type Server,
} from "./programs.ts";

/** A running Kubernetes control plane and its nodes. */
export interface ControlPlane {
  /** Path of a cluster admin's kubeconfig. */
  kubeconfig: string;
  /** `host:port` of the API server. */
  endpoint: string;
  /** The CA that signed the API server's certificate, as PEM. */
  caCertificate: string;
  /** Rejects as soon as one of the programs ends; the error names it. */
  died: Promise<never>;
  /** Takes one of the servers away for a while. */
  interrupt(server: Server, milliseconds: number): void;
  /** Ends all programs. */
  stop(): Promise<void>;
}

const POLL_MS = 25;
const READY_LIMIT_MS = 120_000;

/**
 * Starts etcd, the API server, the controller manager, the scheduler and KWOK. Returns once the API server
 * and a node are ready. On failure, it ends every program that it has started.
 *
 * @param directory holds data, logs and secrets
 * @param tokenReviewUrl authenticates the bearer tokens that the API server does not know itself
 * @throws Error that names the program that ended, with its last log lines
 */
export async function startControlPlane(directory: string, tokenReviewUrl: string): Promise<ControlPlane> {
  const [programs, ports, pki] = await Promise.all([binaries(PROGRAMS), freePorts(PORTS), makePki()]);
  const files = filesIn(directory);
  const token = randomUUID();
  const endpoint = `127.0.0.1:${ports["kube-apiserver"]}`;
  const contents: [path: string, content: string][] = [
    [files.caCertificate, pki.caCertificate],
    [files.servingCertificate, pki.servingCertificate],
    [files.servingKey, pki.servingKey],
    [files.serviceAccountKey, pki.serviceAccountKey],
    [files.tokens, `${token},admin,admin,system:masters\n`],
    [files.tokenReview, kubeconfig({ server: tokenReviewUrl })],
    [
      files.kubeconfig,
      kubeconfig({ server: `https://${endpoint}`, caCertificate: pki.caCertificate, token }),
    ],
    [files.auditPolicy, JSON.stringify(AUDIT_POLICY)],
    [files.containerLog, containerLog("Welcome to use Milvus!")],
    // Milvus logs this if TLS is on while its HTTP server shares the gRPC port (milvus-io/milvus#46312).
    [
      files.previousContainerLog,
      containerLog(
        "Welcome to use Milvus!",
        "panic: proxy server(http) and external grpc server share the same port, tls mode must be 0",
      ),
    ],
  ];
  await mkdir(files.etcdData, { mode: 0o700 });
  await Promise.all(contents.map(([path, content]) => writeFile(path, content, { mode: 0o600 })));

  const args = argumentsOf(directory, ports);
  const children = new Map<ProgramName, Child>();
  const death = Promise.withResolvers<never>();
  const start = (names: readonly ProgramName[]) => {
    for (const name of names) {
      const child = startChild(name, programs[name], args[name], directory);
      children.set(name, child);
      // One that was replaced may die.
      child.died.catch((error: unknown) => children.get(name) === child && death.reject(error));
    }
    return death.promise;
  };
  const stopped = new AbortController();
  const stop = async () => {
    stopped.abort();
    await Promise.all([...children.values()].map((child) => child.kill()));
  };
  const interrupt = (server: Server, milliseconds: number) => {
    const child = children.get(server);
    if (!child) throw new Error(`${server} is interrupted already`);
    // etcd, killed in the middle of a write, could lose what it has not synced.
    if (server === "etcd") {
      child.signal("SIGSTOP");
      setTimeout(() => child.signal("SIGCONT"), milliseconds);
      return;
    }
    children.delete(server);
    const gone = child.kill();
    setTimeout(async () => {
      // Until then its port is in use.
      await gone;
      if (!stopped.signal.aborted) start([server]);
    }, milliseconds);
  };
  const waiting = new AbortController();
  try {
    const server = { port: ports["kube-apiserver"], caCertificate: pki.caCertificate, token };
    await Promise.race([apiServerReady(server, waiting.signal), start(SERVERS)]);
    const died = start(CLIENTS);
    await Promise.race([until(server, "/api/v1/nodes", waiting.signal, hasReadyNode), died]);
    died.catch(() => {});
    return {
      kubeconfig: files.kubeconfig,
      endpoint,
      caCertificate: pki.caCertificate,
      died,
      interrupt,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    waiting.abort();
  }
}

const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata" }],
};

/** Formats lines as a container runtime does in its log files. */
function containerLog(...lines: string[]): string {
  const now = new Date().toISOString();
  return lines.map((line) => `${now} stderr F ${line}\n`).join("");
}

async function apiServerReady(server: ApiServer, signal: AbortSignal): Promise<void> {
  await until(server, "/readyz", signal, () => true);
  for (const { collection, object } of INITIAL_OBJECTS) {
    const { status, text } = await callApi(server, "POST", collection, object);
    if (status !== 201) throw new Error(`the API server refused POST ${collection} (${status}): ${text}`);
  }
}

/** Polls the API server until it responds 200 and `isReady` accepts the body. */
async function until(
  server: ApiServer,
  path: string,
  signal: AbortSignal,
  isReady: (text: string) => boolean,
): Promise<void> {
  const deadline = performance.now() + READY_LIMIT_MS;
  let last = "";
  while (performance.now() < deadline) {
    try {
      const { status, text } = await callApi(server, "GET", path);
      if (status === 200 && isReady(text)) return;
      last = `${status}: ${text}`;
    } catch (error) {
      last = messageOf(error);
    }
    await delay(POLL_MS, undefined, { signal });
  }
  throw new Error(
    `the API server was not ready after ${READY_LIMIT_MS / 1000} s (${path} responded ${last})`,
  );
}

function hasReadyNode(nodes: string): boolean {
  // No other condition or object matches this, so parsing the NodeList is unnecessary.
  return /"type":"Ready","status":"True"/.test(nodes);
}
