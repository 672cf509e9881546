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

/** The first line of every container's log. */
const FIRST_LINE = "Welcome to use Milvus!";
/** Milvus logs this if TLS is on while its HTTP server shares the gRPC port (milvus-io/milvus#46312). */
const PANIC = "panic: proxy server(http) and external grpc server share the same port, tls mode must be 0";

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
  await mkdir(files.etcdData, { mode: 0o700 });
  const adminKubeconfig = kubeconfig({
    server: `https://${endpoint}`,
    caCertificate: pki.caCertificate,
    token,
  });
  const contents: [path: string, content: string][] = [
    [files.caCertificate, pki.caCertificate],
    [files.servingCertificate, pki.servingCertificate],
    [files.servingKey, pki.servingKey],
    [files.serviceAccountKey, pki.serviceAccountKey],
    [files.tokens, `${token},admin,admin,system:masters\n`],
    [files.tokenReview, kubeconfig({ server: tokenReviewUrl })],
    [files.kubeconfig, adminKubeconfig],
    [files.auditPolicy, JSON.stringify(AUDIT_POLICY)],
    [files.containerLog, containerLog(FIRST_LINE)],
    [files.previousContainerLog, containerLog(FIRST_LINE, PANIC)],
  ];
  await Promise.all(contents.map(([path, content]) => writeFile(path, content, { mode: 0o600 })));

  const args = argumentsOf(directory, ports);
  const children = new Children((name) => startChild(name, programs[name], args[name], directory));
  const waiting = new AbortController();
  try {
    const server = { port: ports["kube-apiserver"], caCertificate: pki.caCertificate, token };
    await Promise.race([apiServerReady(server, waiting.signal), children.start(SERVERS)]);
    const died = children.start(CLIENTS);
    await Promise.race([until(server, "/api/v1/nodes", waiting.signal, hasReadyNode), died]);
    died.catch(() => {});
    return {
      kubeconfig: files.kubeconfig,
      endpoint,
      caCertificate: pki.caCertificate,
      died,
      interrupt: (name, milliseconds) => children.interrupt(name, milliseconds),
      stop: () => children.stop(),
    };
  } catch (error) {
    await children.stop();
    throw error;
  } finally {
    waiting.abort();
  }
}

/** The running programs of a control plane. */
class Children {
  readonly #startOne: (name: ProgramName) => Child;
  readonly #running = new Map<ProgramName, Child>();
  readonly #death = Promise.withResolvers<never>();
  #isStopped = false;

  constructor(startOne: (name: ProgramName) => Child) {
    this.#startOne = startOne;
  }

  /** Starts programs. Rejects when one of all that were started ends. */
  start(names: readonly ProgramName[]): Promise<never> {
    for (const name of names) {
      const child = this.#startOne(name);
      this.#running.set(name, child);
      child.died.catch((error: unknown) => {
        // One that was replaced may die.
        if (this.#running.get(name) === child) this.#death.reject(error);
      });
    }
    return this.#death.promise;
  }

  interrupt(server: Server, milliseconds: number): void {
    const child = this.#running.get(server);
    if (!child) throw new Error(`${server} is interrupted already`);
    // etcd, killed in the middle of a write, could lose what it has not synced.
    if (server === "etcd") {
      child.signal("SIGSTOP");
      setTimeout(() => child.signal("SIGCONT"), milliseconds);
      return;
    }
    this.#running.delete(server);
    const gone = child.kill();
    setTimeout(async () => {
      // Until then its port is in use.
      await gone;
      if (!this.#isStopped) this.start([server]);
    }, milliseconds);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#running.values()].map((child) => child.kill()));
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
