import * as v from "valibot";
import type { Cloud, SecurityPolicy, SecurityRule } from "../cloud.ts";
import { invalid, notFound, refusedMember } from "./compute-errors.ts";
import type { Operations } from "./compute-operations.ts";
import { resourceUrl, type Scope } from "./compute-resources.ts";
import { type ApiAnswer, type ApiRequest, jsonBody, legacyError } from "./http.ts";

/** The priority of the rule that every policy has. */
const DEFAULT_PRIORITY = 2_147_483_647;
/** Limit of a rule with SRC_IPS_V1 (cloud.google.com/armor/quotas). */
const RANGES_PER_RULE = 10;

const Rule = v.strictObject({
  priority: v.number(),
  action: v.picklist(["allow", "deny(403)", "deny(404)", "deny(502)"]),
  preview: v.optional(v.boolean(), false),
  match: v.strictObject({
    versionedExpr: v.literal("SRC_IPS_V1"),
    config: v.strictObject({ srcIpRanges: v.array(v.string()) }),
  }),
});
const Policy = v.strictObject({
  name: v.string(),
  description: v.optional(v.string(), ""),
  type: v.exactOptional(v.literal("CLOUD_ARMOR")),
  rules: v.optional(v.array(Rule), []),
});

/** Returns the rule that a policy has if it is made without rules: it admits everybody. */
export function admitAll(): SecurityRule {
  return {
    priority: DEFAULT_PRIORITY,
    action: "allow",
    preview: false,
    match: { versionedExpr: "SRC_IPS_V1", config: { srcIpRanges: ["*"] } },
  };
}

/** `securityPolicies` of the Compute API. */
export class SecurityPolicies {
  readonly #cloud: Cloud;
  readonly #operations: Operations;

  constructor(cloud: Cloud, operations: Operations) {
    this.#cloud = cloud;
    this.#operations = operations;
  }

  get(scope: Scope, name: string): object | undefined {
    const policy = this.#find(scope, name);
    const selfLink = resourceUrl(pathOf(scope, name));
    return policy && { kind: "compute#securityPolicy", type: "CLOUD_ARMOR", ...policy, selfLink };
  }

  insert(scope: Scope, request: ApiRequest): ApiAnswer {
    const parsed = v.safeParse(Policy, jsonBody(request));
    if (!parsed.success) return refusedMember(parsed.issues[0]);
    const { name, description, rules } = parsed.output;
    const path = pathOf(scope, name);
    if (this.#find(scope, name)) {
      return legacyError(409, { reason: "alreadyExists", message: `The resource '${path}' already exists` });
    }
    const wanted = rules.length > 0 ? rules : [admitAll()];
    const refused = wanted.map(refusalOf).find((refusal) => refusal !== undefined);
    if (refused) return refused;
    if (!wanted.some(({ priority }) => priority === DEFAULT_PRIORITY)) {
      return invalid("resource.rules", "", "Security policy must have a default rule.");
    }
    return this.#operations.start("insert", scope, path, request, () => {
      this.#set({ name, description, rules: wanted });
      return undefined;
    });
  }

  delete(scope: Scope, name: string, request: ApiRequest): ApiAnswer {
    const path = pathOf(scope, name);
    if (!this.#find(scope, name)) return notFound(path);
    const user = [...this.#cloud.backends.values()].find(({ securityPolicy }) => securityPolicy === name);
    if (user) {
      const message = `The security_policy resource '${path}' is already being used by '${scope.path}/backendServices/${user.name}'`;
      return legacyError(400, { reason: "resourceInUseByAnotherResource", message });
    }
    return this.#operations.start("delete", scope, path, request, () => {
      this.#cloud.securityPolicies.delete(name);
      return undefined;
    });
  }

  addRule(scope: Scope, name: string, request: ApiRequest): ApiAnswer {
    return this.#withRule(scope, name, request, (policy, rule) =>
      policy.rules.some(({ priority }) => priority === rule.priority)
        ? invalid("resource.priority", String(rule.priority), "Cannot have rules with the same priorities.")
        : [...policy.rules, rule],
    );
  }

  patchRule(scope: Scope, name: string, request: ApiRequest): ApiAnswer {
    const priority = Number(request.query.get("priority"));
    return this.#withRule(scope, name, request, (policy, rule) =>
      policy.rules.some((other) => other.priority === priority)
        ? policy.rules.map((other) => (other.priority === priority ? rule : other))
        : noRule(priority),
    );
  }

  removeRule(scope: Scope, name: string, request: ApiRequest): ApiAnswer {
    const policy = this.#find(scope, name);
    if (!policy) return notFound(pathOf(scope, name));
    const priority = Number(request.query.get("priority"));
    const rules = policy.rules.filter((rule) => rule.priority !== priority);
    if (rules.length === policy.rules.length) return noRule(priority);
    if (priority === DEFAULT_PRIORITY)
      return invalid("priority", String(priority), "Cannot remove the default rule.");
    return this.#operations.start("removeRule", scope, pathOf(scope, name), request, () => {
      this.#set({ ...policy, rules });
      return undefined;
    });
  }

  #withRule(
    scope: Scope,
    name: string,
    request: ApiRequest,
    change: (policy: SecurityPolicy, rule: SecurityRule) => SecurityRule[] | ApiAnswer,
  ): ApiAnswer {
    const policy = this.#find(scope, name);
    if (!policy) return notFound(pathOf(scope, name));
    const parsed = v.safeParse(Rule, jsonBody(request));
    if (!parsed.success) return refusedMember(parsed.issues[0]);
    const rules = refusalOf(parsed.output) ?? change(policy, parsed.output);
    if (!Array.isArray(rules)) return rules;
    return this.#operations.start("updateRule", scope, pathOf(scope, name), request, () => {
      this.#set({ ...policy, rules });
      return undefined;
    });
  }

  #find(scope: Scope, name: string): SecurityPolicy | undefined {
    return scope.region === undefined ? this.#cloud.securityPolicies.get(name) : undefined;
  }

  #set(policy: SecurityPolicy): void {
    const rules = policy.rules.toSorted((one, other) => one.priority - other.priority);
    this.#cloud.securityPolicies.set(policy.name, { ...policy, rules });
    this.#cloud.emit("resource");
  }
}

function refusalOf({ match }: SecurityRule): ApiAnswer | undefined {
  const { srcIpRanges } = match.config;
  if (srcIpRanges.length >= 1 && srcIpRanges.length <= RANGES_PER_RULE) return undefined;
  const why = `The number of source IP ranges must be between 1 and ${RANGES_PER_RULE}.`;
  return invalid("resource.match.config.srcIpRanges", "", why);
}

function noRule(priority: number): ApiAnswer {
  return invalid(
    "priority",
    String(priority),
    "The security policy does not contain a rule at that priority.",
  );
}

function pathOf(scope: Scope, name: string): string {
  return `${scope.path}/securityPolicies/${name}`;
}
