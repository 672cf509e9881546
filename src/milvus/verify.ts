import { status as GrpcStatus, type ServiceError } from "@grpc/grpc-js";
import { pause } from "../base/async.ts";
import { formatDuration } from "../base/duration.ts";
import { ActionError } from "../base/errors.ts";
import { nameOf, openTunnel, ProxyRefusal, targetOf } from "../base/https-proxy.ts";
import { withProgress } from "../base/progress.ts";
import { describeServedCertificate } from "../base/served-certificate.ts";
import { meaningOf, OTHER_CERTIFICATE } from "./answers.ts";
import type { Destination, MilvusClient } from "./client.ts";

/** How to check Milvus through the load balancer. */
export interface Verification extends Destination {
  token: string | undefined;
  /** This run has switched Identity-Aware Proxy off: its log-in may answer for some minutes more. */
  loginEnds: boolean;
  /** The only clients that the load balancer admits; empty if it admits everybody. */
  allowedRanges: readonly string[];
  /** Milliseconds. */
  limit: number;
  signal: AbortSignal;
}

/** What Milvus said through the load balancer. */
export interface Verified {
  /** Milvus's version; undefined if Milvus requires a token and none was given. */
  version: string | undefined;
  /** Why Milvus reports itself unhealthy; empty if it is healthy. */
  reasons: string[];
}

const PAUSE_MS = 1000;
/** Limit of one call: a load balancer that is being programmed may accept a connection and never answer. */
const CALL_MS = 10_000;
/**
 * Milvus may report itself unhealthy for a moment after a restart, and a changed Cloud Armor policy takes a
 * moment to arrive at every edge of Google's. After this time the result says so.
 */
const SETTLING_MS = 60_000;

/**
 * Calls Milvus through the load balancer until it answers, and returns the answer. For minutes after its
 * address is known, a load balancer answers 404 and 502, so only a permanent refusal ends the wait early.
 *
 * @throws ActionError at the limit, with the last answer and what it means
 */
export async function verify(client: MilvusClient, request: Verification): Promise<Verified> {
  const giveUp = performance.now() + request.limit;
  const settled = performance.now() + Math.min(request.limit, SETTLING_MS);
  let last = "no answer yet";
  return await withProgress(
    () => `waiting for Milvus to answer at ${request.address} as ${request.host}: ${last}`,
    async () => {
      for (;;) {
        const answer = await callMilvus(client, request);
        if ("verified" in answer) {
          const { reasons } = answer.verified;
          if (reasons.length === 0 || performance.now() >= settled) return answer.verified;
          last = `it answers, but reports itself unhealthy: ${reasons.join("; ")}`;
        } else {
          const { error } = answer;
          last = error.message;
          if (request.proxy && !isHttpAnswer(error)) await refuseClosedProxy(request.proxy, request);
          const isRefusedToken = error.code === GrpcStatus.UNAUTHENTICATED && performance.now() >= settled;
          const isRefusedClient =
            error.code === GrpcStatus.PERMISSION_DENIED &&
            (request.allowedRanges.length === 0 || performance.now() >= settled);
          const isFinal = (isOtherServer(error) && !request.loginEnds) || isRefusedClient || isRefusedToken;
          if (isFinal || performance.now() >= giveUp) throw await notVerified(error, request);
        }
        await pause(PAUSE_MS, request.signal);
      }
    },
    request.limit,
  );
}

async function callMilvus(
  client: MilvusClient,
  { token, signal }: Verification,
): Promise<{ verified: Verified } | { error: ServiceError }> {
  if (signal.aborted) throw signal.reason;
  try {
    const options = { deadline: Date.now() + CALL_MS, token, signal };
    const [version, health] = await Promise.all([
      client.getVersion(options),
      client.checkHealth(options).catch(healthyIfUnknown),
    ]);
    const reasons = health.reasons.length > 0 ? health.reasons : ["it gives no reason"];
    return { verified: { version: version.version, reasons: health.isHealthy ? [] : reasons } };
  } catch (error) {
    if (!isServiceError(error)) throw error;
    if (isHttpAnswer(error)) return { error };
    // Only Milvus itself asks for a token or checks a user's rights, so the call has reached it.
    const asksForToken = refusesToken(error) && token === undefined;
    const refusesUser = error.code === GrpcStatus.PERMISSION_DENIED;
    return asksForToken || refusesUser ? { verified: { version: undefined, reasons: [] } } : { error };
  }
}

/**
 * Finds out what a proxy answers: grpc-js doesn't say. A proxy that can't reach the load balancer (HTTP
 * 502 to 504) may do so later.
 *
 * @throws ActionError when the proxy refuses
 */
async function refuseClosedProxy(proxy: URL, { address, signal }: Verification): Promise<void> {
  try {
    const timeout = AbortSignal.timeout(CALL_MS);
    (await openTunnel(proxy, targetOf(address), AbortSignal.any([signal, timeout]))).destroy();
  } catch (error) {
    if (!(error instanceof ProxyRefusal) || error.status >= 500) return;
    throw new ActionError(`This runner's proxy doesn't let the check through to ${address}.`, {
      why: error.message,
      fix: "let the proxy admit CONNECT to that address, put its login into HTTPS_PROXY, or list the address in NO_PROXY if the runner reaches it directly; or set verify: false.",
    });
  }
}

/** Milvus up to 2.1 doesn't have the call. Without an HTTP status the answer is Milvus's own. */
function healthyIfUnknown(error: unknown): { isHealthy: boolean; reasons: string[] } {
  const isMissing = isServiceError(error) && error.code === GrpcStatus.UNIMPLEMENTED && !isHttpAnswer(error);
  if (isMissing) return { isHealthy: true, reasons: [] };
  throw error;
}

/**
 * Tells whether Milvus refuses a token. Milvus 2.3.0 to 2.3.4 says so with UNKNOWN (milvus-io/milvus#33974).
 */
export function refusesToken({ code, details }: ServiceError): boolean {
  if (code === GrpcStatus.UNAUTHENTICATED) return true;
  return code === GrpcStatus.UNKNOWN && /auth check failure|missing authorization in header/.test(details);
}

/**
 * Tells whether something answers that is neither Milvus nor a load balancer that is being programmed: a
 * log-in page of Identity-Aware Proxy or of a proxy (HTTP 401, 407, a redirect).
 */
function isOtherServer(error: ServiceError): boolean {
  return /HTTP status code (401|407|30\d)/.test(error.details);
}

/**
 * Tells whether the load balancer answered instead of Milvus, by the text that @grpc/grpc-js gives to HTTP
 * errors.
 */
export function isHttpAnswer({ details }: ServiceError): boolean {
  return /HTTP status code \d{3}/.test(details);
}

/** Tells whether an error of grpc-js ended a call. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}

async function notVerified(error: ServiceError, request: Verification): Promise<ActionError> {
  const { address, host, limit, proxy, allowedRanges, signal } = request;
  const way = proxy ? ` (through the proxy ${nameOf(proxy)})` : "";
  const what =
    error.code === GrpcStatus.PERMISSION_DENIED
      ? `The load balancer at ${address} refuses calls for ${host}.`
      : isOtherServer(error)
        ? `Not Milvus, but a log-in answers at ${address} as ${host}.`
        : `Milvus has not answered at ${address} as ${host} within ${formatDuration(limit)}.`;
  const { id, remedy } = meaningOf(error.message, allowedRanges.length > 0);
  const served =
    id === OTHER_CERTIFICATE.id ? `; ${await describeServedCertificate(address, host, proxy, signal)}` : "";
  return new ActionError(what, { why: `${error.message}${way}${served}`, fix: remedy, symptom: id });
}
