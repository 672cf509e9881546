import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpClient } from "@actions/http-client";
import type { RequestHandler } from "@actions/http-client/lib/interfaces";
import { messageOf } from "../base/errors.ts";
import { info } from "../base/log.ts";

/** How long a host, or a program of the runner's, may keep us waiting. */
export interface Patience {
  /** A connection on which no byte comes, or a program that says nothing, for this long is given up, in milliseconds. */
  stallMs: number;
  /** The waits before each further attempt, in milliseconds; their number is the number of retries. */
  retryDelaysMs: readonly number[];
}

export const PATIENCE: Patience = { stallMs: 30_000, retryDelaysMs: [1_000, 4_000] };

/** A host that asks to be left alone for longer than this is not asked again. */
const LONGEST_RETRY_AFTER_MS = 60_000;

/**
 * What kept a download from succeeding, which decides the remedy: `missing` (404 or 410), `refused` (any other
 * answer that asking again won't change), `unreachable` (no answer, or one that broke off) and `unverified`
 * (what came is not what was published).
 */
export type Obstacle = "missing" | "refused" | "unreachable" | "unverified";

/** A download that failed for good. Its message names the URL and what came back. */
export class DownloadError extends Error {
  override readonly name = "DownloadError";
  readonly obstacle: Obstacle;

  constructor(obstacle: Obstacle, message: string, cause?: unknown) {
    super(message, { cause });
    this.obstacle = obstacle;
  }
}

/** A failure that another attempt may mend. */
class PassingError extends DownloadError {
  /** How long the host asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(message: string, details: { cause?: unknown; retryAfterMs?: number } = {}) {
    super("unreachable", message, details.cause);
    this.retryAfterMs = details.retryAfterMs ?? 0;
  }
}

export interface RequestOptions {
  /** Ends the request, and the waits between attempts, when its result is no longer of use. */
  signal?: AbortSignal | undefined;
  patience?: Patience | undefined;
  /** Value of the header of this name. Goes to the URL's own origin only, not to others that it redirects to. */
  authorization?: string | undefined;
}

/**
 * Writes what a URL answers to a file and returns its digest in lower-case hex, and the answer's headers.
 *
 * @throws DownloadError
 */
export async function downloadTo(
  file: string,
  url: string,
  algorithm: "sha256" | "md5",
  options: RequestOptions,
): Promise<{ digest: string; headers: IncomingHttpHeaders }> {
  return await persistently(options, async () => {
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

/**
 * Returns the text that a URL answers.
 *
 * @throws DownloadError
 */
export async function readText(url: string, options: RequestOptions = {}): Promise<string> {
  return await persistently(options, async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of body(url, options)) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  });
}

async function persistently<Result>(
  { signal, patience = PATIENCE }: RequestOptions,
  attempt: () => Promise<Result>,
): Promise<Result> {
  for (const delay of patience.retryDelaysMs) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof PassingError) || signal?.aborted) throw error;
      const wait = Math.max(delay, error.retryAfterMs);
      info(`${error.message} Trying again in ${wait / 1000} s.`);
      await sleep(wait, undefined, { signal });
    }
  }
  return await attempt();
}

/**
 * Yields what one GET answers, following redirects. `@actions/tool-cache` has a downloader too, but it waits 10
 * to 20 s between attempts even where none can succeed, and a host that goes silent holds it for ever.
 */
async function* body(
  url: string,
  { signal, patience = PATIENCE, authorization }: RequestOptions,
  onHeaders: (headers: IncomingHttpHeaders) => void = () => {},
): AsyncGenerator<Buffer> {
  const stall = new AbortController();
  const watchdog = setTimeout(() => stall.abort(), patience.stallMs);
  const end = new AbortController();
  const anyEnd = AbortSignal.any([end.signal, stall.signal, ...(signal ? [signal] : [])]);
  let received = 0;
  let expected: number | undefined;
  try {
    const message = await follow(url, anyEnd, authorization);
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
 * The client's own way of following redirects fails on a relative `Location`, which mirrors do send, and from
 * HTTP to HTTPS, since a client keeps the agent of its first request.
 */
async function follow(
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
    // The rest of a URL may be signed, and so as good as a password.
    throw new DownloadError("refused", `${url} redirects ${reason}: ${target.origin}${target.pathname}.`);
  }
  const sameOrigin = target.origin === new URL(url).origin;
  return await follow(target.href, signal, sameOrigin ? authorization : undefined, redirectsLeft - 1);
}

function unexpectedStatus(url: string, answer: IncomingMessage): DownloadError {
  const { statusCode: status = 0, statusMessage: reason = "" } = answer;
  const message = `${url} answered ${`${status} ${reason}`.trim()}`;
  if (status === 408 || status === 429 || status >= 500) {
    const retryAfterMs = parseRetryAfter(answer.headers["retry-after"], Date.now());
    if (retryAfterMs <= LONGEST_RETRY_AFTER_MS) return new PassingError(`${message}.`, { retryAfterMs });
    const seconds = Math.round(retryAfterMs / 1000);
    return new DownloadError("unreachable", `${message}, and wants to be left alone for ${seconds} s.`);
  }
  return new DownloadError(status === 404 || status === 410 ? "missing" : "refused", `${message}.`);
}

/**
 * Returns how long a `Retry-After` header asks to wait, in milliseconds, 0 when it asks for nothing (RFC 9110,
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
  // Node leaves the message empty when it has tried several addresses of a host.
  const message = `${url} can't be read: ${messageOf(error) || code}.`;
  return PASSING_CODES.has(code)
    ? new PassingError(message, { cause: error })
    : new DownloadError("unreachable", message, error);
}

/** The client has no way to end a request, and its own time limit does not cover connecting. */
function abortedBy(signal: AbortSignal): RequestHandler {
  return {
    prepareRequest(options) {
      options.signal = signal;
    },
    canHandleAuthentication: () => false,
    handleAuthentication: () =>
      Promise.reject(new Error("Download hosts are not answered with other credentials.")),
  };
}

/** Returns the beginning of a text that is not what it should be, for a message. */
export function excerpt(text: string): string {
  const [line = ""] = text.trim().split("\n");
  return line === "" ? "nothing" : JSON.stringify(line.slice(0, 80));
}
