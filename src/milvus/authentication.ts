import { status as GrpcStatus, type ServiceError } from "@grpc/grpc-js";
import type { MilvusClient } from "./client.ts";
import { isHttpAnswer, isServiceError, refusesToken, type Verification } from "./verify.ts";

/** What Milvus asks of clients: nothing, or a token. */
export type Authentication = "none" | "required";

/** What calls without a token and with the default password have shown. */
export interface AuthenticationCheck {
  /** Undefined when the answer tells neither. */
  authentication: Authentication | undefined;
  /** Whether Milvus's user root still has the default password: in the given token, or not in it. */
  defaultPassword: "given" | "accepted" | undefined;
}

/**
 * The user and password that every new Milvus has (milvus-io/milvus,
 * configs/milvus.yaml, defaultRootPassword).
 */
const DEFAULT_TOKEN = "root:Milvus";
const CALL_MS = 10_000;

/**
 * Asks Milvus whether it takes calls without a token. If it doesn't, tries the default password. An answer
 * that tells neither is no failure: the connection is proven already.
 */
export async function checkAuthentication(
  client: MilvusClient,
  { token, signal }: Pick<Verification, "token" | "signal">,
): Promise<AuthenticationCheck> {
  const authentication = await answerTo(client, undefined, signal);
  if (authentication !== "required") return { authentication, defaultPassword: undefined };
  // A given token has been accepted already.
  if (token === DEFAULT_TOKEN) return { authentication, defaultPassword: "given" };
  const isAccepted = (await answerTo(client, DEFAULT_TOKEN, signal)) === "none";
  return { authentication, defaultPassword: isAccepted ? "accepted" : undefined };
}

/** @returns `none` if Milvus asks for nothing more than this token, `required` if it refuses the token */
async function answerTo(
  client: MilvusClient,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Authentication | undefined> {
  signal.throwIfAborted();
  try {
    await client.getVersion({ deadline: Date.now() + CALL_MS, token, signal });
    return "none";
  } catch (error) {
    if (!isServiceError(error)) throw error;
    signal.throwIfAborted();
    return authenticationIn(error);
  }
}

function authenticationIn(error: ServiceError): Authentication | undefined {
  if (isHttpAnswer(error)) return undefined;
  if (refusesToken(error)) return "required";
  // Milvus knows the user, who lacks a right.
  return error.code === GrpcStatus.PERMISSION_DENIED ? "none" : undefined;
}
