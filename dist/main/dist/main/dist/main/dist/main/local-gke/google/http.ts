import type { IncomingHttpHeaders } from "node:http";

/** A request to one of Google's APIs. `path` is relative to the API's base URL. */
export interface ApiRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface ApiAnswer {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

export type Api = (request: ApiRequest) => ApiAnswer | Promise<ApiAnswer>;

/** An error response of Google's JSON APIs (google.rpc.Status). */
export function googleError(code: number, status: string, message: string, reason?: string): ApiAnswer {
  const details = reason && [
    { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "googleapis.com" },
  ];
  return { status: code, body: { error: { code, message, status, ...(details && { details }) } } };
}

/**
 * An error response of Google's older JSON APIs (Compute Engine, Cloud DNS), which repeats the first error.
 */
export function legacyError(code: number, ...errors: { reason: string; message: string }[]): ApiAnswer {
  const [first] = errors;
  return {
    status: code,
    body: {
      error: {
        code,
        message: first?.message,
        errors: errors.map(({ reason, message }) => ({ message, domain: "global", reason })),
      },
    },
  };
}

/** The response of the older JSON APIs to an unknown field. */
export function unknownMember(name: string): ApiAnswer {
  const message = `Invalid JSON payload received. Unknown name "${name}": Cannot find field.`;
  return googleError(400, "INVALID_ARGUMENT", message);
}

/** The response of an API that is not enabled in the project, e.g. `Kubernetes Engine`, `container`. */
export function disabled(title: string, service: string): ApiAnswer {
  return googleError(
    403,
    "PERMISSION_DENIED",
    `${title} API has not been used in project 123456789012 before or it is disabled. Enable it by visiting ` +
      `https://console.developers.google.com/apis/api/${service}.googleapis.com/overview?project=123456789012 ` +
      "then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our " +
      "systems and retry.",
    "SERVICE_DISABLED",
  );
}

/** An error response of OAuth token endpoints (RFC 6749, 5.2). */
export function oauthError(status: number, error: string, description: string): ApiAnswer {
  return { status, body: { error, error_description: description } };
}

export function unavailable(): ApiAnswer {
  return googleError(503, "UNAVAILABLE", "The service is currently unavailable.");
}

/** The parsed body; undefined if it is not JSON. */
export function jsonBody({ body }: ApiRequest): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

export function bearerToken({ headers }: ApiRequest): string {
  return /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
}
