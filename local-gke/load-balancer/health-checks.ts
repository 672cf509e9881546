import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { BackendService, Cloud, Health, HealthCheck } from "../cloud.ts";
import { forwardHttp1, Http2Client, type Request } from "../milvus/exchange.ts";
import type { Endpoint, Endpoints } from "./endpoints.ts";

/** Google's probers ask every few seconds; this stand-in need not be waited for. */
const INTERVAL_MS = 100;
/** Who answers is asked less often: with dozens of releases it would be most of what this process does. */
const HEALTHY_INTERVAL_MS = 1000;
const TIMEOUT_MS = 1000;

interface Result {
  passed: boolean;
  /** When it is asked again at the earliest, on the clock of `performance.now()`. */
  due: number;
}

/** Asks every endpoint of every backend service for its health, all the time and at once when it is new. */
export class HealthChecks {
  readonly #cloud: Cloud;
  readonly #endpoints: Endpoints;
  readonly #results = new Map<string, Result>();
  readonly #stopped = new AbortController();
  #waiting = new AbortController();
  #running: Promise<void> | undefined;

  constructor(cloud: Cloud, endpoints: Endpoints) {
    this.#cloud = cloud;
    this.#endpoints = endpoints;
  }

  start(): void {
    this.#cloud.on("backend", this.#hurry);
    this.#endpoints.on("change", this.#hurry);
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#cloud.off("backend", this.#hurry);
    this.#endpoints.off("change", this.#hurry);
    this.#stopped.abort();
    await this.#running;
  }

  /** Returns the endpoints that passed their last health check. */
  healthy(backend: BackendService): Endpoint[] {
    return this.#endpoints
      .of(backend)
      .filter((endpoint) => this.#results.get(key(backend, endpoint))?.passed);
  }

  /** Returns a backend's state: healthy when one endpoint is, unknown while there is none or none has been asked. */
  healthOf(backend: BackendService): Health {
    const results = this.#endpoints
      .of(backend)
      .map((endpoint) => this.#results.get(key(backend, endpoint))?.passed);
    if (results.includes(true)) return "HEALTHY";
    return results.includes(false) ? "UNHEALTHY" : "Unknown";
  }

  readonly #hurry = () => this.#waiting.abort();

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      this.#waiting = new AbortController();
      const signal = AbortSignal.any([this.#waiting.signal, this.#stopped.signal]);
      await this.#checkAll();
      // Aborted means that something has changed: what follows is the same either way.
      await delay(INTERVAL_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #checkAll(): Promise<void> {
    const checks: Promise<void>[] = [];
    const current = new Set<string>();
    for (const backend of this.#cloud.backends.values()) {
      for (const endpoint of this.#endpoints.of(backend)) {
        const checked = key(backend, endpoint);
        current.add(checked);
        if (performance.now() < (this.#results.get(checked)?.due ?? 0)) continue;
        checks.push(
          passes(backend.healthCheck, endpoint).then((passed) => {
            const due = passed ? performance.now() + HEALTHY_INTERVAL_MS : 0;
            this.#results.set(checked, { passed, due });
          }),
        );
      }
    }
    await Promise.all(checks);
    for (const known of this.#results.keys()) if (!current.has(known)) this.#results.delete(known);
  }
}

function key(backend: BackendService, endpoint: Endpoint): string {
  const { type, port, requestPath } = backend.healthCheck;
  return [backend.name, endpoint.pod, type, endpoint.ports.get(port), requestPath].join(" ");
}

async function passes({ type, port, requestPath }: HealthCheck, endpoint: Endpoint): Promise<boolean> {
  const loopback = endpoint.ports.get(port);
  if (loopback === undefined) return false;
  const authority = `127.0.0.1:${loopback}`;
  const request: Request = {
    method: "GET",
    path: requestPath,
    authority,
    headers: { "user-agent": "GoogleHC/1.0" },
    body: Readable.from([]),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  };
  try {
    if (type === "HTTP2") return await passesHttp2(authority, request);
    const answer = await forwardHttp1(`${type.toLowerCase()}://${authority}`, request);
    answer.body?.resume();
    return answer.status === 200;
  } catch {
    // No answer is what a failed check is.
    return false;
  }
}

async function passesHttp2(authority: string, request: Request): Promise<boolean> {
  const client = new Http2Client(`https://${authority}`);
  try {
    const answer = await client.forward(request);
    answer.body?.resume();
    return answer.status === 200;
  } finally {
    client.close();
  }
}
