import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { HttpClient } from "@actions/http-client";
import type { RequestHandler } from "@actions/http-client/lib/interfaces";
import { retry } from "../base/async.ts";
import { messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";

/** How long to wait for a host, or for a program of the runner. */
export interface Patience {
  /** How long a connection or a program may stay silent before it is given up, in milliseconds. */
  stallMs: number;
  /** The pause before each retry, in milliseconds. Their number is the number of retries. */
  retryDelaysMs: readonly number[];
}

/** The patience of a run. Tests have less. */
export const PATIENCE: Patience = { stallMs: 30_000, retryDelaysMs: [1_000, 4_000] };

/** A host whose Retry-After is longer than this is not asked again. */
const LONGEST_RETRY_AFTER_MS = 60_000;

/**
 * Why a download failed, which decides the remedy: `missing` (404 or 410), `refused` (any other answer that a
 * retry won't change), `unreachable` (no complete answer) and `unverified` (the content is not what was
 * published).
 */
export type DownloadObstacle = "missing" | "refused" | "unreachable" | "unverified";

/** A download that failed for good. The message names the URL and the answer. */
export class DownloadError extends Error {
  override readonly name = "DownloadError";
  readonly obstacle: DownloadObstacle;

  constructor(obstacle: DownloadObstacle, message: string, cause?: unknown) {
    super(message, { cause });
    this.obstacle = obstacle;
  }
}

/** A failure that a retry may overcome. */
class PassingError extends DownloadError {
  /** The host's Retry-After, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(message: string, details: { cause?: unknown; retryAfterMs?: number } = {}) {
    super("unreachable", message, details.cause);
    this.retryAfterMs = details.retryAfterMs ?? 0;
  }
}

export interface HttpOptions {
  /** Ends the request and the pauses between retries. */
  signal?: AbortSignal | undefined;
  patience?: Patience | undefined;
  /**
   * The header `authorization`. Sent to the URL's own origin only, not to other origins that it redirects to.
   */
  authorization?: string | undefined;
}

/**
 * Downloads a URL to a file and returns its digest in lower-case hex, and the headers of the answer.
 *
 * @throws DownloadError
 */
export async function downloadTo(
  file: string,
  url: string,
  algorithm: "sha256" | "md5",
  options: HttpOptions,
): Promise<{ digest: string; headers: IncomingHttpHeaders }> {
  return await withRetries(options, async () => {
    const hash = createHash(algorithm);
    let headers: IncomingHttpHeaders = {};
    const handle = await open(file, "w");
    try {
      const chunks = body(url, options, (received) => {
        headers = received;
      });
      for await (const chunk of chunks) {
        hash.update(chunk);
        await handle.writeFile(chunk);
      }
    } finally {
      await handle.close();
    }
    return { digest: hash.digest("hex"), headers };
  });
}

/** @throws DownloadError */
export async function readText(url: string, options: HttpOptions = {}): Promise<string> {
  return await withRetries(options, async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of body(url, options)) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  });
}

async function withRetries<Result>(
  { signal, patience = PATIENCE }: HttpOptions,
  attempt: () => Promise<Result>,
): Promise<Result> {
  const result = await retry(
    patience.retryDelaysMs,
    () =>
      attempt().catch((error: unknown) => {
        if (error instanceof PassingError && !signal?.aborted) return error;
        throw error;
      }),
    (result, pauseMs) => {
      if (!(result instanceof PassingError)) return undefined;
      const wait = Math.max(pauseMs, result.retryAfterMs);
      info(`${result.message} Trying again in ${wait / 1000} s.`);
      return wait;
    },
    signal,
  );
  if (result instanceof PassingError) throw result;
  return result;
}

/**
 * Yields the body of one GET request, following redirects. `@actions/tool-cache` has a downloader too. But it
 * waits 10 to 20 s between attempts even if none can succeed, and it waits forever for a host that has gone
 * silent.
 */
async function* body(
  url: string,
  { signal, patience = PATIENCE, authorization }: HttpOptions,
  onHeaders: (headers: IncomingHttpHeaders) => void = () => {},
): AsyncGenerator<Buffer> {
  const stall = new AbortController();
  const watchdog = setTimeout(() => stall.abort(), patience.stallMs);
  const end = new AbortController();
  const anyEnd = AbortSignal.any([end.signal, stall.signal, ...(signal ? [signal] : [])]);
  let received = 0;
  let expected: number | undefined;
  try {
    const message = await getWithRedirects(url, anyEnd, authorization);
    if (message.statusCode !== 200) throw unexpectedStatus(url, message);
    onHeaders(message.headers);
    expected = Number(message.headers["content-length"]) || undefined;
    const chunks: AsyncIterable<Buffer> = message;
    for await (const chunk of chunks) {
      watchdog.refresh();
      received += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (error instanceof DownloadError) throw error;
    const progress = `${received}${expected ? ` of ${expected}` : ""} bytes`;
    if (stall.signal.aborted) {
      throw new PassingError(`${url} sent nothing for ${patience.stallMs / 1000} s, after ${progress}.`, {
        cause: error,
      });
    }
    if (received > 0) throw new PassingError(`${url} broke off after ${progress}.`, { cause: error });
    throw noAnswer(url, error);
  } finally {
    clearTimeout(watchdog);
    end.abort();
  }
}

const REDIRECTS = 5;

/**
 * The client itself can't follow a relative `Location`, which some mirrors send. Nor can it go from HTTP to
 * HTTPS, as it keeps the agent of its first request.
 */
async function getWithRedirects(
  url: string,
  signal: AbortSignal,
  authorization: string | undefined,
  redirectsLeft = REDIRECTS,
): Promise<IncomingMessage> {
  const client = new HttpClient("milvus-gke-load-balancer", [abortedBy(signal)], { allowRedirects: false });
  const { message } = await client.get(url, authorization ? { authorization } : {});
  const { location } = message.headers;
  const { statusCode = 0 } = message;
  if (statusCode < 300 || statusCode > 399 || !location) return message;
  message.resume();
  const target = new URL(location, url);
  if (redirectsLeft === 0 || (url.startsWith("https:") && target.protocol !== "https:")) {
    const reason = redirectsLeft === 0 ? `more than ${REDIRECTS} times` : "to a connection without TLS";
    // The query is left out: in a signed URL it is as good as a password.
    throw new DownloadError("refused", `${url} redirects ${reason}: ${target.origin}${target.pathname}.`);
  }
  const sameOrigin = target.origin === new URL(url).origin;
  return await getWithRedirects(
    target.href,
    signal,
    sameOrigin ? authorization : undefined,
    redirectsLeft - 1,
  );
}

function unexpectedStatus(url: string, answer: IncomingMessage): DownloadError {
  const { statusCode: status = 0, statusMessage: reason = "" } = answer;
  const message = `${url} answered ${`${status} ${reason}`.trim()}`;
  if (status === 408 || status === 429 || status >= 500) {
    const retryAfterMs = parseRetryAfter(answer.headers["retry-after"], Date.now());
    if (retryAfterMs <= LONGEST_RETRY_AFTER_MS) return new PassingError(`${message}.`, { retryAfterMs });
    const seconds = Math.round(retryAfterMs / 1000);
    return new DownloadError("unreachable", `${message}, and its Retry-After is ${seconds} s.`);
  }
  return new DownloadError(status === 404 || status === 410 ? "missing" : "refused", `${message}.`);
}

/**
 * Returns the wait that a `Retry-After` header asks for, in milliseconds, or 0 if there is none (RFC 9110,
 * section 10.2.3).
 *
 * @param now as Date.now()
 */
export function parseRetryAfter(header: string | undefined, now: number): number {
  const text = header?.trim() ?? "";
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Math.max(0, wait || 0);
}

const PASSING_CODES = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "EAI_AGAIN"]);

function noAnswer(url: string, error: unknown): DownloadError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  // Node leaves the message empty after it has tried several addresses of a host.
  const message = `${url} can't be read: ${messageOf(error) || code}.`;
  return PASSING_CODES.has(code)
    ? new PassingError(message, { cause: error })
    : new DownloadError("unreachable", message, error);
}

/** The client can't end a request, and its own time limit doesn't cover connecting. */
function abortedBy(signal: AbortSignal): RequestHandler {
  return {
    prepareRequest(options) {
      options.signal = signal;
    },
    canHandleAuthentication: () => false,
    handleAuthentication: () => Promise.reject(new Error("Download hosts get no other credentials.")),
  };
}

/** Returns the beginning of an unexpected text, for a message. */
export function excerpt(text: string): string {
  const [line = ""] = text.trim().split("\n");
  return line === "" ? "nothing" : JSON.stringify(line.slice(0, 80));
}
