import { messageOf } from "../errors.ts";

/** Longest wait for one answer, in milliseconds. */
const REQUEST_TIMEOUT = 30_000;

/** What a request to one of Google's APIs is made with. */
export interface GoogleAccess {
  environment: NodeJS.ProcessEnv;
  /** Base of the host names of Google's services. */
  universe: string;
  /** An access token. */
  token: string;
}

/** What a request to Google ended with when it wasn't answered with success. */
export interface Failure {
  /** HTTP status; undefined when there was no answer at all. */
  status: number | undefined;
  /** URL that was asked, without its query. */
  url: string | undefined;
  /** The server's own text, e.g. `PERMISSION_DENIED: Required "container.clusters.get" permission(s) for ...`. */
  text: string;
  /** `reason` of google.rpc.ErrorInfo, e.g. `SERVICE_DISABLED`. */
  reason: string | undefined;
}

/**
 * Gets a resource of a Google REST API and returns its JSON. 429, 5xx and lost connections are tried again, five
 * times over 13 seconds. `HTTPS_PROXY` and `NO_PROXY` are heeded.
 *
 * @throws the library's own error; {@link failureOf} reads it
 */
export async function getResource(url: string, accessToken: string): Promise<unknown> {
  const { gaxios } = await import("google-auth-library");
  const response = await gaxios.request<unknown>({
    url,
    headers: { authorization: `Bearer ${accessToken}` },
    responseType: "json",
    timeout: REQUEST_TIMEOUT,
    retryConfig: { retry: 5, noResponseRetries: 5 },
  });
  return response.data;
}

/** Reads what google-auth-library throws: OAuth's `error` and `error_description`, or Google's `error.message`. */
export function failureOf(error: unknown): Failure {
  const { response, status, config } = fields(error);
  const { data } = fields(response);
  return {
    status: typeof status === "number" ? status : undefined,
    url: String(fields(config).url ?? "").split("?")[0] || undefined,
    text: serverText(data) ?? messageOf(error),
    reason: reasonIn(data),
  };
}

/** Returns the members of an object, or none when `value` isn't one. */
export function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function serverText(data: unknown): string | undefined {
  if (typeof data === "string") return data.trim().slice(0, 500) || undefined;
  const { error, error_description: description } = fields(data);
  if (typeof error === "string") return description ? `${error}: ${description}` : error;
  const { status, message } = fields(error);
  if (typeof message !== "string") return undefined;
  return typeof status === "string" ? `${status}: ${message}` : message;
}

function reasonIn(data: unknown): string | undefined {
  const { details } = fields(fields(data).error);
  if (!Array.isArray(details)) return undefined;
  for (const detail of details) {
    const { "@type": type, reason } = fields(detail);
    if (type === "type.googleapis.com/google.rpc.ErrorInfo" && typeof reason === "string") return reason;
  }
  return undefined;
}
