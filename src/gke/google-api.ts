import * as v from "valibot";
import { messageOf } from "../base/errors.ts";
import { baseUrl, type GoogleService } from "./endpoints.ts";

/** Longest wait for one response, in milliseconds. */
const REQUEST_TIMEOUT = 30_000;

/** What a request to a Google API needs. */
export interface GoogleAccess {
  environment: NodeJS.ProcessEnv;
  /** Base of the host names of Google's services. */
  universe: string;
  /** An access token. */
  token: string;
  /** The project that pays for the request and needs the API enabled; undefined: the identity's own. */
  quotaProject?: string | undefined;
}

/** A project, and what requests to its APIs need. */
export interface GoogleProject {
  projectId: string;
  environment: NodeJS.ProcessEnv;
  /** Base of the host names of Google's services. */
  universe: string;
  /** Returns a valid access token. Waits may outlive a token. */
  accessToken(): Promise<string>;
  /** As in {@link GoogleAccess}. */
  quotaProject?: string | undefined;
  /** Ends requests and waits. */
  signal: AbortSignal;
}

/** Why a request to Google failed. */
export interface Failure {
  /** HTTP status; undefined if there was no response. */
  status: number | undefined;
  /** The request's URL, without its query. */
  url: string | undefined;
  /**
   * The server's own text, e.g. `PERMISSION_DENIED: Required "container.clusters.get" permission(s) for ...`.
   */
  text: string;
  /**
   * `reason` of google.rpc.ErrorInfo, e.g. `SERVICE_DISABLED`. Older APIs: of the first error, e.g.
   * `notFound`.
   */
  reason: string | undefined;
}

/** What google-auth-library throws. Another error has none of these. */
const LibraryError = v.fallback(
  v.object({
    status: v.optional(v.number()),
    config: v.optional(v.object({ url: v.optional(v.unknown()) })),
    response: v.optional(v.object({ data: v.optional(v.unknown()) })),
  }),
  {},
);

/** RFC 6749, section 5.2. */
const OAuthError = v.object({ error: v.string(), error_description: v.optional(v.string()) });

/** google.rpc.ErrorInfo, one of the details of google.rpc.Status. */
const ErrorInfo = v.object({
  "@type": v.literal("type.googleapis.com/google.rpc.ErrorInfo"),
  reason: v.string(),
});

/** google.rpc.Status as JSON. Older APIs have `errors` in it. */
const GoogleError = v.object({
  error: v.object({
    message: v.optional(v.string()),
    status: v.optional(v.string()),
    details: v.optional(v.array(v.unknown())),
    errors: v.optional(v.array(v.object({ reason: v.optional(v.string()) }))),
  }),
});

export interface GoogleRequestOptions {
  method?: "GET" | "POST" | "DELETE";
  body?: object;
  /** Longest wait for one response, in milliseconds. */
  timeout?: number;
  signal?: AbortSignal;
}

/** The result of a request to one of a project's APIs. */
export type GoogleResult = { body: unknown; failure?: undefined } | { failure: Failure };

/**
 * Gets a resource of a Google REST API and returns its JSON. Retries 429, 5xx and lost connections five times
 * within 13 seconds. Respects `HTTPS_PROXY` and `NO_PROXY`.
 *
 * @throws the library's own error; {@link failureOf} reads it
 */
export async function getGoogleResource(
  url: string,
  access: Pick<GoogleAccess, "token" | "quotaProject">,
): Promise<unknown> {
  return await send(url, access, {});
}

/**
 * Sends a request about a project's resource, with the retries of {@link getGoogleResource}. It may arrive
 * twice and must allow that: Compute Engine's requests have a `requestId`, changes of Cloud DNS name the
 * records that they expect.
 *
 * @param path what follows `projects/<project>/`
 * @throws the reason of the project's signal
 */
export async function requestOf(
  project: GoogleProject,
  service: GoogleService,
  path: string,
  options: Omit<GoogleRequestOptions, "signal"> = {},
): Promise<GoogleResult> {
  const { environment, universe, projectId, quotaProject, signal } = project;
  const url = `${baseUrl(service, environment, universe)}/projects/${projectId}/${path}`;
  const access = { token: await project.accessToken(), quotaProject };
  signal.throwIfAborted();
  try {
    // A request with a body gets no signal: if it is aborted before a retry, node-fetch throws where nothing
    // can catch it.
    return { body: await send(url, access, options.body ? options : { ...options, signal }) };
  } catch (error) {
    signal.throwIfAborted();
    return { failure: failureOf(error) };
  }
}

async function send(
  url: string,
  { token, quotaProject }: Pick<GoogleAccess, "token" | "quotaProject">,
  { method = "GET", body, timeout = REQUEST_TIMEOUT, signal }: GoogleRequestOptions,
): Promise<unknown> {
  const { gaxios } = await import("google-auth-library");
  const response = await gaxios.request<unknown>({
    url,
    method,
    headers: {
      authorization: `Bearer ${token}`,
      // cloud.google.com/apis/docs/system-parameters. Google's own libraries send it so, too.
      ...(quotaProject !== undefined && { "x-goog-user-project": quotaProject }),
    },
    responseType: "json",
    timeout,
    ...(body && { data: body }),
    ...(signal && { signal }),
    retryConfig: { retry: 5, noResponseRetries: 5, httpMethodsToRetry: ["GET", "POST", "DELETE"] },
  });
  return response.data;
}

/** Tells whether a 404 is about the project itself, not about a resource in it. */
export function isProjectMissing({ text }: Failure): boolean {
  return /'projects\/[^/']+' was not found/.test(text);
}

/**
 * Reads an error of google-auth-library: OAuth's `error` and `error_description`, or Google's
 * `error.message`.
 */
export function failureOf(error: unknown): Failure {
  const { status, config, response } = v.parse(LibraryError, error);
  return {
    status,
    url: String(config?.url ?? "").split("?")[0] || undefined,
    text: serverText(response?.data) ?? messageOf(error),
    reason: reasonIn(response?.data),
  };
}

function serverText(data: unknown): string | undefined {
  if (typeof data === "string") return data.trim().slice(0, 500) || undefined;
  if (v.is(OAuthError, data)) {
    const { error, error_description: description } = data;
    return description ? `${error}: ${description}` : error;
  }
  const { message, status } = googleError(data);
  return message !== undefined && status !== undefined ? `${status}: ${message}` : message;
}

function reasonIn(data: unknown): string | undefined {
  const { details = [], errors = [] } = googleError(data);
  const information = details.find((detail) => v.is(ErrorInfo, detail));
  return information?.reason ?? errors[0]?.reason;
}

function googleError(data: unknown): Partial<v.InferOutput<typeof GoogleError>["error"]> {
  return v.is(GoogleError, data) ? data.error : {};
}
