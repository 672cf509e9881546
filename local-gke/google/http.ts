import type { IncomingHttpHeaders } from "node:http";

/** A request to one of Google's APIs; `path` begins after the API's base URL. */
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

/** Answers a request of one API. */
export type Api = (request: ApiRequest) => ApiAnswer | Promise<ApiAnswer>;

/** Returns an error as Google's JSON APIs give it (google.rpc.Status). */
export function googleError(code: number, status: string, message: string, reason?: string): ApiAnswer {
  const details = reason && [
    { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "googleapis.com" },
  ];
  return { status: code, body: { error: { code, message, status, ...(details && { details }) } } };
}

/** Returns an error as Google's older JSON APIs give it (Compute Engine, Cloud DNS): the first one is told twice. */
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

/** Returns what an older JSON API answers to a member that a resource doesn't have. */
export function unknownMember(name: string): ApiAnswer {
  const message = `Invalid JSON payload received. Unknown name "${name}": Cannot find field.`;
  return googleError(400, "INVALID_ARGUMENT", message);
}

/** Returns what an API answers that is switched off in the project, e.g. `Kubernetes Engine`, `container`. */
export function disabled(title: string, service: string): ApiAnswer {
  return googleError(
    403,
    "PERMISSION_DENIED",
    `${title} API has not been used in project 123456789012 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/${service}.googleapis.com/overview?project=123456789012 then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.`,
    "SERVICE_DISABLED",
  );
}

/** Returns an error as OAuth's token endpoints give it (RFC 6749, 5.2). */
export function oauthError(status: number, error: string, description: string): ApiAnswer {
  return { status, body: { error, error_description: description } };
}

export function unavailable(): ApiAnswer {
  return googleError(503, "UNAVAILABLE", "The service is currently unavailable.");
}

/** Returns a request's parsed body, or undefined when it isn't JSON. */
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
