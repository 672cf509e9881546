import * as v from "valibot";
import { expect, test } from "vitest";
import { AccessRule, gives } from "../../src/kubernetes/access-rules.ts";
import type { Right } from "../../src/kubernetes/rights.ts";

const RULE = { verbs: ["get", "list"], apiGroups: ["", "apps"], resources: ["secrets", "deployments"] };

test.each<[string, object, Right["verb"], string, boolean]>([
  ["a verb and a resource that it names", RULE, "get", "secrets", true],
  ["a resource of a named group", RULE, "list", "deployments.apps", true],
  ["another verb", RULE, "patch", "secrets", false],
  ["another resource", RULE, "get", "pods", false],
  ["another group", RULE, "get", "deployments.example.com", false],
  ["any verb", { ...RULE, verbs: ["*"] }, "patch", "secrets", true],
  ["any group", { ...RULE, apiGroups: ["*"] }, "get", "deployments.example.com", true],
  ["any resource", { ...RULE, resources: ["*"] }, "get", "pods", true],
  ["single objects only", { ...RULE, resourceNames: ["one"] }, "get", "secrets", false],
  ["a subresource only", { ...RULE, resources: ["pods/log"] }, "get", "pods", false],
  ["nothing", {}, "get", "secrets", false],
])("a rule for %s", (_, rule, verb, resource, expected) => {
  expect(gives(v.parse(AccessRule, rule), { resource, verb })).toBe(expected);
});
