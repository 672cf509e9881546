import { randomUUID } from "node:crypto";
import { type Timing, until } from "../ingress/timing.ts";
import { resourceUrl, type Scope } from "./compute-resources.ts";
import type { ApiAnswer, ApiRequest } from "./http.ts";

/** Why an operation failed. Each corresponds to the HTTP status 403. */
export interface OperationError {
  code: string;
  message: string;
}

interface Operation {
  /** The current state of the Operation. */
  resource(): object;
  /** Resolves when it is DONE. */
  done: Promise<void>;
}

/** The maximum duration of `operations.wait`. */
const WAIT_LIMIT_MS = 120_000;

/** Operations of the Compute API. Inserts and deletes respond with a running Operation. */
export class Operations {
  readonly #timing: Timing;
  readonly #stopped: AbortSignal;
  /** By path. */
  readonly #operations = new Map<string, Operation>();
  /** By the id of the request. */
  readonly #requests = new Map<string, Operation>();

  constructor(timing: Timing, stopped: AbortSignal) {
    this.#timing = timing;
    this.#stopped = stopped;
  }

  get(path: string): object | undefined {
    return this.#operations.get(path)?.resource();
  }

  /** Waits until an operation is DONE, for at most two minutes, and returns its state. */
  async wait(path: string): Promise<object | undefined> {
    const operation = this.#operations.get(path);
    if (!operation) return undefined;
    const limit = AbortSignal.timeout(WAIT_LIMIT_MS);
    await Promise.race([operation.done, new Promise((resolve) => limit.addEventListener("abort", resolve))]);
    return operation.resource();
  }

  /** The response to a request whose `requestId` is known: the API starts no second operation. */
  repeated({ query }: ApiRequest): ApiAnswer | undefined {
    const earlier = this.#requests.get(query.get("requestId") ?? "");
    return earlier && { status: 200, body: earlier.resource() };
  }

  /**
   * Starts an operation and returns the response to its request. The duration of an insert follows `timing`.
   *
   * @param target path of the resource
   * @param work runs at the end of the operation; returns an error if it fails
   */
  start(
    type: "insert" | "delete" | "updateRule" | "removeRule",
    scope: Scope,
    target: string,
    { query }: ApiRequest,
    work: () => OperationError | undefined,
  ): ApiAnswer {
    const name = `operation-${Date.now()}-${randomUUID()}`;
    const path = `${scope.path}/operations/${name}`;
    const startTime = new Date().toISOString();
    const started = performance.now();
    let outcome: { error: OperationError | undefined; endTime: string } | undefined;
    const finish = async () => {
      await until(() => started + (type === "insert" ? this.#timing.insertDelayMs : 0), this.#stopped);
      if (!this.#stopped.aborted) outcome = { error: work(), endTime: new Date().toISOString() };
    };
    const operation: Operation = {
      done: finish(),
      resource: () => ({
        kind: "compute#operation",
        name,
        operationType: type,
        targetLink: resourceUrl(target),
        status: outcome ? "DONE" : "RUNNING",
        progress: outcome ? 100 : 0,
        insertTime: startTime,
        startTime,
        ...(outcome && { endTime: outcome.endTime }),
        ...(outcome?.error && errorMembers(outcome.error)),
        ...(scope.region !== undefined && { region: resourceUrl(scope.path) }),
        selfLink: resourceUrl(path),
      }),
    };
    this.#operations.set(path, operation);
    const requestId = query.get("requestId");
    if (requestId) this.#requests.set(requestId, operation);
    return { status: 200, body: operation.resource() };
  }
}

function errorMembers(error: OperationError): object {
  return { error: { errors: [error] }, httpErrorStatusCode: 403, httpErrorMessage: "FORBIDDEN" };
}
