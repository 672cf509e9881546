import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { type ActionError, OvertakenError } from "../base/errors.ts";
import { type RuleChange, ruleChanges, rulesFor } from "./allowed-ranges.ts";
import { getResource, isAlreadyThere, isInUse, isMissing, runOperation } from "./compute-requests.ts";
import { SecurityPolicy } from "./compute-resources.ts";
import type { Failure, GoogleProject } from "./google-api.ts";
import { refusedOperation } from "./operation.ts";

const POLICIES = "global/securityPolicies";
const EDITOR = "roles/compute.securityAdmin";
/**
 * HTTP statuses of a repeated request. The first one may have worked, and only its answer was lost: then the
 * rule is there already, or gone.
 */
const REPEATED = [400, 404, 409];

/**
 * Returns a Cloud Armor policy, undefined if there is none of that name.
 *
 * @throws ActionError if the request fails
 */
export async function getSecurityPolicy(
  name: string,
  project: GoogleProject,
): Promise<SecurityPolicy | undefined> {
  const body = await getResource(`${POLICIES}/${name}`, project, {
    service: "compute",
    task: `read the Cloud Armor policy ${name}`,
    permission: "compute.securityPolicies.get",
    role: EDITOR,
  });
  return body === undefined ? undefined : v.parse(SecurityPolicy, body);
}

/**
 * Makes a policy that admits these ranges only.
 *
 * @throws OvertakenError if another run has made the policy meanwhile
 * @throws ActionError if Google refuses
 */
export async function createSecurityPolicy(
  { name, description, ranges }: { name: string; description: string; ranges: readonly string[] },
  project: GoogleProject,
): Promise<void> {
  const body = { name, description, type: "CLOUD_ARMOR", rules: rulesFor(ranges) };
  const failure = await runOperation("POST", POLICIES, "global", project, { body });
  if (!failure) return;
  if (isAlreadyThere(failure)) {
    throw new OvertakenError(`The Cloud Armor policy ${name} was made by another run at the same time.`, {
      why: failure.text,
      fix: "run the job again.",
    });
  }
  throw refused(failure, project, `create the Cloud Armor policy ${name}`, "create");
}

/**
 * Makes a policy of this action's admit these ranges only, one rule after the other.
 *
 * @throws ActionError if Google refuses
 */
export async function changeSecurityPolicy(
  live: SecurityPolicy,
  ranges: readonly string[],
  project: GoogleProject,
): Promise<void> {
  const { name } = live;
  for (const each of ruleChanges(live, ranges)) {
    const failure = await changeRule(name, each, project);
    if (!failure) continue;
    const mayHaveWorked = REPEATED.includes(failure.status ?? 0);
    if (!mayHaveWorked || (await isStillDue(name, each, ranges, project))) {
      throw refused(failure, project, `change the Cloud Armor policy ${name}`, "update");
    }
  }
}

function changeRule(name: string, each: RuleChange, project: GoogleProject): Promise<Failure | undefined> {
  const { method } = each;
  const priority = "rule" in each ? each.rule.priority : each.priority;
  const query = method === "addRule" ? "" : `?priority=${priority}`;
  return runOperation("POST", `${POLICIES}/${name}/${method}${query}`, "global", project, {
    hasRequestId: false,
    ...("rule" in each && { body: each.rule }),
  });
}

async function isStillDue(
  name: string,
  each: RuleChange,
  ranges: readonly string[],
  project: GoogleProject,
): Promise<boolean> {
  const live = await getSecurityPolicy(name, project);
  return live === undefined || ruleChanges(live, ranges).some((due) => isSame(due, each));
}

/** Another run may have taken the priority: what counts is which clients a rule admits. */
function isSame(one: RuleChange, other: RuleChange): boolean {
  return "rule" in one && "rule" in other
    ? isDeepStrictEqual(one.rule.match, other.rule.match)
    : isDeepStrictEqual(one, other);
}

/**
 * Deletes a policy.
 *
 * @returns `in use` while a load balancer has it
 * @throws ActionError if Google refuses for another reason
 */
export async function deleteSecurityPolicy(
  name: string,
  project: GoogleProject,
): Promise<"deleted" | "missing" | "in use"> {
  const failure = await runOperation("DELETE", `${POLICIES}/${name}`, "global", project);
  if (!failure) return "deleted";
  if (isMissing(failure)) return "missing";
  if (isInUse(failure)) return "in use";
  throw refused(failure, project, `delete the Cloud Armor policy ${name}`, "delete");
}

function refused(
  failure: Failure,
  { projectId }: GoogleProject,
  task: string,
  verb: "create" | "update" | "delete",
): ActionError {
  const permission = `compute.securityPolicies.${verb}`;
  return refusedOperation(failure, projectId, { service: "compute", task, permission, role: EDITOR });
}
