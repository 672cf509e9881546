import { type ApiAnswer, legacyError } from "./http.ts";

/** Returns what the Compute API answers for a resource that doesn't exist. */
export function notFound(path: string): ApiAnswer {
  return legacyError(404, { reason: "notFound", message: `The resource '${path}' was not found` });
}

/** Returns what the Compute API answers to a value that it can't take. */
export function invalid(field: string, value: string, why: string): ApiAnswer {
  const message = `Invalid value for field '${field}': '${value}'. ${why}`.trimEnd();
  return legacyError(400, { reason: "invalid", message });
}
