import { randomUUID } from "node:crypto";
import * as v from "valibot";
import { pause } from "../base/async.ts";
import { Operation, type Scope } from "./compute-resources.ts";
import { type Failure, type GoogleProject, isProjectMissing, requestOf } from "./google-api.ts";
import { type GoogleOperation, refusedOperation } from "./operation.ts";

/** Longest wait for an operation, in milliseconds. */
const OPERATION_LIMIT = 300_000;
/** Time-out of one request, in milliseconds: `operations.wait` answers within two minutes. */
const WAIT_TIMEOUT = 150_000;
/** Pause between two requests, in milliseconds: `operations.wait` may answer early. */
const PAUSE = 1000;

/**
 * Gets a resource of the Compute Engine API, undefined if there is none.
 *
 * @param path what follows `projects/<project>/`
 * @throws ActionError if the request fails
 */
export async function getResource(
  path: string,
  project: GoogleProject,
  operation: GoogleOperation,
): Promise<unknown> {
  const answer = await requestOf(project, "compute", path);
  if (!answer.failure) return answer.body;
  if (isMissing(answer.failure)) return undefined;
  throw refusedOperation(answer.failure, project.projectId, operation);
}

/**
 * Sends a request that starts an operation and waits for its end. Returns a failure, if any.
 *
 * @param options `hasRequestId: false` for a method that knows no requestId: it may run twice, and the second
 *   run may fail because of the first
 */
export async function runOperation(
  method: "POST" | "DELETE",
  path: string,
  scope: Scope,
  project: GoogleProject,
  { body, hasRequestId = true }: { body?: object; hasRequestId?: boolean } = {},
): Promise<Failure | undefined> {
  // Google recognizes a repeated request by its requestId.
  const repeatable = hasRequestId ? `${path}?requestId=${randomUUID()}` : path;
  let answer = await requestOf(project, "compute", repeatable, { method, ...(body && { body }) });
  const deadline = performance.now() + OPERATION_LIMIT;
  for (;;) {
    if (answer.failure) return answer.failure;
    const operation = v.parse(Operation, answer.body);
    if (operation.status === "DONE") return failureIn(operation);
    if (performance.now() > deadline) {
      const text = `the operation ${operation.name} is ${operation.status} after ${OPERATION_LIMIT / 60_000} minutes`;
      return { status: undefined, url: undefined, text, reason: undefined };
    }
    const wait = `${scope}/operations/${operation.name}/wait`;
    answer = await requestOf(project, "compute", wait, { method: "POST", timeout: WAIT_TIMEOUT });
    if (!answer.failure && v.parse(Operation, answer.body).status !== "DONE") {
      await pause(PAUSE, project.signal);
    }
  }
}

function failureIn({ error, httpErrorStatusCode }: Operation): Failure | undefined {
  if (!error) return undefined;
  const text = error.errors.map(({ code, message }) => `${code}: ${message}`).join("; ");
  return { status: httpErrorStatusCode, url: undefined, text, reason: error.errors[0]?.code };
}

/** Tells whether there is no such resource, although there is the project. */
export function isMissing(failure: Failure): boolean {
  return failure.status === 404 && !isProjectMissing(failure);
}

/** Tells whether there is a resource of that name already. */
export function isAlreadyThere({ reason = "" }: Failure): boolean {
  return /^(alreadyExists|RESOURCE_ALREADY_EXISTS)$/.test(reason);
}

/** Tells whether a resource can't be deleted because another one uses it. */
export function isInUse({ reason = "" }: Failure): boolean {
  return /^(resourceInUseByAnotherResource|RESOURCE_IN_USE_BY_ANOTHER_RESOURCE)$/.test(reason);
}
