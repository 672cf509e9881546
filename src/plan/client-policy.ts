import { ActionError } from "../base/errors.ts";
import { ruleChanges } from "../gke/allowed-ranges.ts";
import type { SecurityPolicy } from "../gke/compute-resources.ts";
import { endsProven, type Settings } from "../inputs/settings.ts";
import type { Observed } from "../observe/observed.ts";

/** What a run does to the Cloud Armor policy of allowed_ranges. */
export type PolicyAction = "create" | "change" | "keep" | "delete";

/**
 * Returns what a run does to the policy, undefined if there is none and none is wanted. Only a run that
 * proves the load balancer deletes it: until Google's controller has detached it, Google refuses to.
 *
 * @throws ActionError when somebody else made a policy of that name
 */
export function policyActionOf(
  { allowedRanges, waitFor }: Pick<Settings, "allowedRanges" | "waitFor">,
  { clientPolicy }: Pick<Observed["google"], "clientPolicy">,
): PolicyAction | undefined {
  if (!clientPolicy) return undefined;
  const { live } = clientPolicy;
  if (allowedRanges.length === 0) return endsProven({ waitFor }) ? "delete" : "keep";
  if (!live) return "create";
  if (!clientPolicy.isOurs) throw foreign(clientPolicy.name, live, clientPolicy.description);
  return ruleChanges(live, allowedRanges).length > 0 ? "change" : "keep";
}

function foreign(name: string, { description }: SecurityPolicy, expected: string): ActionError {
  return new ActionError(`The Cloud Armor policy ${name} was not made by this action; nothing was changed.`, {
    why: `its description is ${JSON.stringify(description)}, not ${JSON.stringify(expected)}.`,
    fix: "delete it or give it that description, or name it in backend_config (securityPolicy) instead of setting allowed_ranges.",
  });
}

/** How many ranges a sentence lists. */
const MOST_RANGES = 10;

/**
 * Returns a sentence on the clients that the load balancer admits from this run on; undefined if those stay
 * the same.
 */
export function admissionOf(
  { allowedRanges }: Pick<Settings, "allowedRanges">,
  action: PolicyAction | undefined,
): string | undefined {
  if (action === "delete")
    return "The load balancer admits everybody again: allowed_ranges is no longer set.";
  if (action !== "create" && action !== "change") return undefined;
  return `The load balancer admits ${listed(allowedRanges)} only (allowed_ranges): other clients get HTTP 403.`;
}

/** Lists the first ranges, and counts the others. */
export function listed(ranges: readonly string[]): string {
  const more = ranges.length - MOST_RANGES;
  return `${ranges.slice(0, MOST_RANGES).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
