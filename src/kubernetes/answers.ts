import * as v from "valibot";
import { ActionError, messageOf } from "../base/errors.ts";
import { remedyOf } from "./remedies.ts";
import type { Resource } from "./resources.ts";

/** What the API server has answered to a request. */
export interface Answer {
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

/** Returns the Status that an answer is, undefined when it is none: then no API of the API server's has answered. */
export function statusOf({ body }: Answer): Status | undefined {
  try {
    const parsed = v.safeParse(Status, JSON.parse(body));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Turns an answer that is none into an error with the API server's own words and what the user can change.
 *
 * @param what what happened, naming the object, as a sentence
 * @param resource what was asked for, where it is one that a cluster may lack
 */
export function refusal(what: string, answer: Answer, resource?: Resource): ActionError {
  const status = statusOf(answer);
  const lacking = answer.code === 404 && !status ? resource : undefined;
  const why = lacking
    ? `the API server does not know ${lacking.apiVersion}, the API of ${lacking.kind}.`
    : status?.message || answer.body.trim().slice(0, 500) || `HTTP status ${answer.code}`;
  const summary = lacking ? `The cluster has no ${lacking.kind}; nothing was changed.` : what;
  return new ActionError(summary, { why, ...remedyOf(`${status?.reason ?? ""} ${why}`) });
}

/** Returns those who manage fields that were to be applied, with their fields; nobody when that isn't what was refused. */
export function conflictsIn(answer: Answer): Map<string, string[]> {
  const causes = answer.code === 409 ? (statusOf(answer)?.details?.causes ?? []) : [];
  const conflicts = new Map<string, string[]>();
  for (const { reason, message, field } of causes) {
    if (reason !== "FieldManagerConflict") continue;
    // conflict with "kubectl-edit" with subresource "scale" using apps/v1 at 2030-01-01T00:00:00Z
    const manager = /^conflict with "(.*?)"(?= |$)/.exec(message)?.[1] ?? message;
    conflicts.set(manager, [...(conflicts.get(manager) ?? []), field]);
  }
  return conflicts;
}

/** The error for fields that others manage, of an object of this action's own or one of the user's manifests. */
export function conflictError(
  object: string,
  conflicts: ReadonlyMap<string, string[]>,
  { dryRun, isOwn }: { dryRun: boolean; isOwn: boolean },
): ActionError {
  const what = dryRun
    ? `${object} has fields that something else manages; nothing was changed.`
    : `Applying ${object} failed: something else manages fields of it.`;
  // The API server names them in no order.
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

/** The error for an API server that gives no answer. */
export function unreachable(what: string, error: unknown): ActionError {
  const why = messageOf(error);
  const remedy = remedyOf(why);
  return new ActionError(what, {
    why,
    ...(remedy.fix ? remedy : remedyOf("connection refused")),
    cause: error,
  });
}
