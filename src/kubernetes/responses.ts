import * as v from "valibot";
import { ActionError, messageOf } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { remedyOf } from "./remedies.ts";
import type { Resource } from "./resources.ts";

/** A response of the API server, or of something in its place. */
export interface ApiResponse {
  code: number;
  body: string;
}

const Status = v.looseObject({
  kind: v.literal("Status"),
  message: v.optional(v.string(), ""),
  reason: v.optional(v.string(), ""),
  details: v.optional(
    v.looseObject({
      causes: v.optional(
        v.array(
          v.looseObject({
            reason: v.optional(v.string(), ""),
            message: v.optional(v.string(), ""),
            field: v.optional(v.string(), ""),
          }),
        ),
        [],
      ),
    }),
  ),
});
type Status = v.InferOutput<typeof Status>;

/**
 * Returns the Status in a response. Undefined if there is none: then none of the API server's APIs has
 * answered.
 */
export function statusOf({ body }: ApiResponse): Status | undefined {
  return parseJson(Status, body);
}

/** How Go's HTTP client says that a server is away. */
const LOST =
  /connection re(fused|set)|EOF|broken pipe|timeout|timed out|no route to host|network is unreachable/i;

/**
 * Tells whether kubectl proxy has answered in place of an API server that it could not reach, or that has
 * hung up (kubectl pkg/cmd/proxy, responder.Error).
 */
export function isFromProxy(response: ApiResponse): boolean {
  return response.code >= 500 && !statusOf(response) && LOST.test(response.body);
}

/**
 * Internal errors that stay: of a webhook, for which the API server has waited already, and of an object that
 * doesn't fit its schema (k8s.io/apimachinery pkg/util/managedfields/internal, structuredmerge.go and
 * typeconverter.go), unless that schema is still to come.
 */
const LASTING = /webhook|failed to create typed patch object(?!.*no corresponding type)/s;

/**
 * Tells whether the API server may soon answer the same request: it was too busy, or etcd did not answer it.
 */
export function isBusy(response: ApiResponse): boolean {
  const { code } = response;
  return (
    code === 429 || code === 503 || (code === 500 && !LASTING.test(statusOf(response)?.message ?? "webhook"))
  );
}

/**
 * Turns a response that isn't a success into an error with the API server's own words and a remedy.
 *
 * @param what what happened to which object, as a sentence
 * @param resource what was requested, if it is a kind that a cluster may lack
 */
export function apiError(what: string, response: ApiResponse, resource?: Resource): ActionError {
  const status = statusOf(response);
  const lacking = response.code === 404 && !status ? resource : undefined;
  const why = lacking
    ? `the API server does not know ${lacking.apiVersion}, the API of ${lacking.kind}.`
    : status?.message || response.body.trim().slice(0, 500) || `HTTP status ${response.code}`;
  const summary = lacking ? `The cluster has no ${lacking.kind}; nothing was changed.` : what;
  return new ActionError(summary, { why, ...remedyOf(`${status?.reason ?? ""} ${why}`) });
}

/**
 * Returns the fields that an apply was refused for, by the manager that has them. Empty for any other
 * response.
 */
export function conflictsIn(response: ApiResponse): Map<string, string[]> {
  const causes = response.code === 409 ? (statusOf(response)?.details?.causes ?? []) : [];
  const conflicts = new Map<string, string[]>();
  for (const { reason, message, field } of causes) {
    if (reason !== "FieldManagerConflict") continue;
    // conflict with "kubectl-edit" with subresource "scale" using apps/v1 at 2030-01-01T00:00:00Z
    const manager = /^conflict with "(.*?)"(?= |$)/.exec(message)?.[1] ?? message;
    conflicts.set(manager, [...(conflicts.get(manager) ?? []), field]);
  }
  return conflicts;
}

/**
 * The error for fields that others manage.
 *
 * @param options `isOwn`: the object is this action's own, not one of the user's manifests
 */
export function conflictError(
  object: string,
  conflicts: ReadonlyMap<string, string[]>,
  { dryRun, isOwn }: { dryRun: boolean; isOwn: boolean },
): ActionError {
  const what = dryRun
    ? `${object} has fields that something else manages; nothing was changed.`
    : `Applying ${object} failed: something else manages fields of it.`;
  // The API server lists them in no fixed order.
  const why = [...conflicts]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(
      ([manager, fields]) =>
        `conflict${fields.length > 1 ? "s" : ""} with "${manager}": ${fields.toSorted().join(", ")}`,
    );
  const otherwise = isOwn
    ? "or delete that object if it is no longer needed, or give this action's objects other names (ingress_name, backend_config_name, tls_secret)."
    : "or take the object out of manifests.";
  return new ActionError(what, {
    why: why.join("; "),
    fix: `set adopt to true to have this action take these fields over, ${otherwise}`,
  });
}

/** A request without a response, or with half of one. */
export class ConnectionError extends ActionError {}

/**
 * Returns the error for a request without a response. An unknown cause gets the remedy for a refused
 * connection.
 */
export function connectionError(what: string, error: unknown): ConnectionError {
  const why = messageOf(error);
  const remedy = remedyOf(why);
  return new ConnectionError(what, {
    why,
    ...(remedy.fix ? remedy : remedyOf("connection refused")),
    cause: error,
  });
}
