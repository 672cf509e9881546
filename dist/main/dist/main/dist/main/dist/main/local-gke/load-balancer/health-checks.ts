import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { BackendService, CheckedEndpoint, Cloud, Health, HealthCheck } from "../cloud.ts";
import { forwardHttp1, Http2Client, type Request } from "../milvus/exchange.ts";
import type { Endpoint, Endpoints } from "./endpoints.ts";

/** Google checks every few seconds. Here, checks are faster to save time. */
const INTERVAL_MS = 100;
/** Healthy endpoints are checked less often to limit the load with dozens of releases. */
const HEALTHY_INTERVAL_MS = 1000;
const TIMEOUT_MS = 1000;

interface Result {
  passed: boolean;
  /** Earliest time of the next check, by performance.now(). */
  due: number;
}

/** Checks the health of all endpoints of all backend services. New endpoints are checked immediately. */
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
    this.#cloud.on("backend", this.#checkNow);
    this.#endpoints.on("change", this.#checkNow);
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#cloud.off("backend", this.#checkNow);
    this.#endpoints.off("change", this.#checkNow);
    this.#stopped.abort();
    await this.#running;
  }

  /** The endpoints that passed their last health check. */
  healthy(backend: BackendService): Endpoint[] {
    return this.#endpoints
      .of(backend)
      .filter((endpoint) => this.#results.get(key(backend, endpoint))?.passed);
  }

  /** A backend service is healthy if one endpoint is, and unknown while no endpoint has been checked. */
  healthOf(backend: BackendService): Health {
    const results = this.#endpoints
      .of(backend)
      .map((endpoint) => this.#results.get(key(backend, endpoint))?.passed);
    if (results.includes(true)) return "HEALTHY";
    return results.includes(false) ? "UNHEALTHY" : "Unknown";
  }

  /** The endpoints that have been checked, with the result of the last check. */
  checked(backend: BackendService): CheckedEndpoint[] {
    return this.#endpoints.of(backend).flatMap((endpoint) => {
      const { ipAddress, port, node } = endpoint;
      const result = this.#results.get(key(backend, endpoint));
      return result ? [{ ipAddress, port, node, passed: result.passed }] : [];
    });
  }

  readonly #checkNow = () => this.#waiting.abort();

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      this.#waiting = new AbortController();
      const signal = AbortSignal.any([this.#waiting.signal, this.#stopped.signal]);
      await this.#checkAll();
      // An abort ends the wait early; the loop continues either way.
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
    for (const each of this.#results.keys()) if (!current.has(each)) this.#results.delete(each);
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
    // One of Google's ranges for health checks.
    client: "35.191.0.1",
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
    // No response means that the check failed.
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
