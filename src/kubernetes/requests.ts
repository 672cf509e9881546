import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { ActionError } from "../base/errors.ts";
import { type Answer, unreachable } from "./answers.ts";
import type { KubectlProxy } from "./proxy.ts";

/** How long one request may take, in milliseconds, before the API server counts as unreachable. */
const REQUEST_LIMIT_MS = 30_000;
/** Pauses before a request is sent anew that the API server had no time for (429, 503), in milliseconds. */
const BUSY_PAUSES_MS = [500, 2000, 5000];

/** What patches are written in. */
export type PatchType = "apply-patch+yaml" | "json-patch+json" | "merge-patch+json";

export interface RequestOptions {
  contentType?: "application/json" | `application/${PatchType}`;
  body?: object;
  /** Ends the request. */
  signal?: AbortSignal | undefined;
}

/**
 * Sends one request and returns the whole answer, whatever it is; anew where the API server has no time for it.
 *
 * @throws ActionError when there is no answer
 */
export async function ask(
  proxy: KubectlProxy,
  method: string,
  path: string,
  request: RequestOptions = {},
): Promise<Answer> {
  const { contentType, body, signal: ended } = request;
  const content = body && contentType !== undefined && { body: JSON.stringify(body), contentType };
  for (const pause of [...BUSY_PAUSES_MS, undefined]) {
    const limit = AbortSignal.timeout(REQUEST_LIMIT_MS);
    const signal = ended ? AbortSignal.any([limit, ended]) : limit;
    try {
      const answer = await answerOf(await proxy.send(method, path, { ...content, signal }));
      const busy = answer.code === 429 || answer.code === 503;
      if (!busy || pause === undefined) return answer;
    } catch (error) {
      ended?.throwIfAborted();
      if (error instanceof ActionError) throw error;
      const why = limit.aborted ? `it did not answer within ${REQUEST_LIMIT_MS / 1000}s` : error;
      throw unreachable("The cluster's API server does not answer.", why);
    }
    await delay(pause, undefined, { ...(ended && { signal: ended }) });
  }
  throw new Error("unreachable: the last pause is undefined");
}

/** Reads an answer to its end. */
export async function answerOf(response: IncomingMessage): Promise<Answer> {
  return { code: response.statusCode ?? 0, body: await text(response) };
}
