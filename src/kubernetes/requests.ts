import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { pause } from "../base/async.ts";
import { ActionError } from "../base/errors.ts";
import type { KubectlProxy } from "./proxy.ts";
import type { Resource } from "./resources.ts";
import { type ApiResponse, apiError, connectionError, isBusy, isFromProxy } from "./responses.ts";

/** How long one request may take, in milliseconds, before the API server counts as unreachable. */
const REQUEST_LIMIT_MS = 30_000;
/**
 * Pauses before a request is repeated because the API server was too busy for it or failed, in milliseconds.
 */
const BUSY_PAUSES_MS = [500, 2000, 5000];
/**
 * The same for an API server that has answered before and is away now: two minutes in all. A zonal cluster
 * has none while its control plane is upgraded.
 */
const AWAY_PAUSES_MS = [500, 1000, 2000, 5000, 10_000, 15_000, 25_000, 30_000, 30_000];

export type PatchType = "apply-patch+yaml" | "json-patch+json" | "merge-patch+json";

/** What a request to the API server has beside its method and path. */
export interface ApiRequest {
  contentType?: "application/json" | `application/${PatchType}`;
  body?: object;
  /** In what form the answer is wanted; undefined: JSON. */
  accept?: string;
  /** Ends the request. */
  signal?: AbortSignal | undefined;
}

/** What a request does when the API server is away. */
export interface Patience {
  /** Whether the API server has answered before. One that never has is likely to be the wrong one. */
  hasAnswered: boolean;
  /** Called before each pause. */
  onAway(why: string): void;
}

/**
 * Sends one request and returns the whole response, whatever its status. Repeats it while the API server is
 * busy or away. That is safe: an object is applied, deleted by its UID or created once at most, and a create
 * that finds its own object makes the run plan again.
 *
 * @throws ActionError when there is no response
 */
export async function sendRequest(
  proxy: KubectlProxy,
  method: string,
  path: string,
  { contentType, body, accept, signal: ended }: ApiRequest,
  patience: Patience,
): Promise<ApiResponse> {
  const content = {
    ...(body && contentType !== undefined && { body: JSON.stringify(body), contentType }),
    ...(accept !== undefined && { accept }),
  };
  const attempt = async (): Promise<ApiResponse | ActionError> => {
    const limit = AbortSignal.timeout(REQUEST_LIMIT_MS);
    const signal = ended ? AbortSignal.any([limit, ended]) : limit;
    try {
      return await readResponse(await proxy.send(method, path, { ...content, signal }));
    } catch (error) {
      ended?.throwIfAborted();
      if (error instanceof ActionError) throw error;
      const why = limit.aborted ? `it did not answer within ${REQUEST_LIMIT_MS / 1000}s` : error;
      return connectionError("The cluster's API server does not answer.", why);
    }
  };
  const begun = Date.now();
  for (let failures = 0; ; failures += 1) {
    const outcome = await attempt();
    const isAway = outcome instanceof ActionError || isFromProxy(outcome);
    const busyPauses = !isAway && isBusy(outcome) ? BUSY_PAUSES_MS : [];
    const pauses = isAway && patience.hasAnswered ? AWAY_PAUSES_MS : busyPauses;
    const next = pauses[failures];
    // An attempt may take as long as all pauses.
    const isOver = Date.now() - begun > AWAY_PAUSES_MS.reduce((sum, each) => sum + each, 0);
    if (next === undefined || isOver) {
      if (outcome instanceof ActionError) throw outcome;
      return outcome;
    }
    if (isAway) patience.onAway(outcome instanceof ActionError ? (outcome.why ?? "") : outcome.body.trim());
    await pause(next, ended);
  }
}

/**
 * Yields each line of a response as it arrives, until the response or `signal` ends it. Errors of whoever
 * reads the lines pass through unchanged; only failures of the connection become ActionErrors.
 *
 * @param what what a failure means, as a sentence
 * @param resource what was requested
 */
export async function* streamLines(
  proxy: KubectlProxy,
  path: string,
  { what, resource, signal }: { what: string; resource: Resource; signal: AbortSignal },
): AsyncGenerator<string, void, void> {
  try {
    const response = await proxy.send("GET", path, { signal });
    if (response.statusCode !== 200) throw apiError(what, await readResponse(response), resource);
    let rest = "";
    for await (const chunk of response.setEncoding("utf8")) {
      const lines = `${rest}${chunk}`.split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error instanceof ActionError ? error : connectionError(what, error);
  }
}

async function readResponse(response: IncomingMessage): Promise<ApiResponse> {
  return { code: response.statusCode ?? 0, body: await text(response) };
}
