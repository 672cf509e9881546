import { type ApiAnswer, legacyError } from "./http.ts";

export function notFound(path: string): ApiAnswer {
  return legacyError(404, { reason: "notFound", message: `The resource '${path}' was not found` });
}

export function invalid(field: string, value: string, why: string): ApiAnswer {
  const message = `Invalid value for field '${field}': '${value}'. ${why}`.trimEnd();
  return legacyError(400, { reason: "invalid", message });
}
