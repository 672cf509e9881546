import * as v from "valibot";
import { type ApiAnswer, legacyError, unknownMember } from "./http.ts";

export function notFound(path: string): ApiAnswer {
  return legacyError(404, { reason: "notFound", message: `The resource '${path}' was not found` });
}

export function invalid(field: string, value: string, why: string): ApiAnswer {
  const message = `Invalid value for field '${field}': '${value}'. ${why}`.trimEnd();
  return legacyError(400, { reason: "invalid", message });
}

/** The response to a body with a member that is unknown or has a value that is not accepted. */
export function refusedMember(issue: v.BaseIssue<unknown>): ApiAnswer {
  const name = v.getDotPath(issue) ?? "";
  if (issue.type === "strict_object" && issue.expected === "never") return unknownMember(name);
  return invalid(`resource.${name}`, String(issue.input ?? ""), "");
}
