import { BlockList, isIP } from "node:net";
import { describe, expect, test } from "vitest";
import {
  mayBePolicyOf,
  policyName,
  type RuleChange,
  ruleChanges,
  rulesFor,
} from "../../src/gke/allowed-ranges.ts";
import type { SecurityPolicy, SecurityRule } from "../../src/gke/compute-resources.ts";

const DEFAULT_PRIORITY = 2_147_483_647;
const ranges = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `203.0.${100 + ((from + index) % 100)}.0/24`);
const policy = (rules: SecurityRule[]): SecurityPolicy => ({ name: "p", description: "", rules });
const rule = (priority: number, srcIpRanges: string[], more: Partial<SecurityRule> = {}): SecurityRule => ({
  priority,
  action: "allow",
  preview: false,
  match: { versionedExpr: "SRC_IPS_V1", config: { srcIpRanges } },
  ...more,
});

/** Returns the policy after a change, as Google makes it. */
function applied({ rules, ...others }: SecurityPolicy, change: RuleChange): SecurityPolicy {
  const priority = "rule" in change ? change.rule.priority : change.priority;
  const rest = rules.filter((each) => each.priority !== priority);
  if (change.method === "addRule" && rest.length < rules.length) throw new Error("same priority");
  return { ...others, rules: "rule" in change ? [...rest, change.rule] : rest };
}

/** Tells whether a policy admits a client. */
function admits({ rules }: SecurityPolicy, client: string): boolean {
  const inOrder = rules.toSorted((one, other) => one.priority - other.priority);
  const first = inOrder.find(({ preview, match }) => {
    const list = new BlockList();
    for (const range of match.config.srcIpRanges) {
      if (range === "*") return !preview;
      const [network = "", prefix] = range.split("/");
      list.addSubnet(network, Number(prefix), isIP(network) === 6 ? "ipv6" : "ipv4");
    }
    return !preview && list.check(client, isIP(client) === 6 ? "ipv6" : "ipv4");
  });
  return first?.action === "allow";
}

describe("rulesFor", () => {
  test.each([
    [1, [1]],
    [10, [10]],
    [11, [10, 1]],
    [35, [10, 10, 10, 5]],
  ])("%i ranges make rules of at most ten", (count, sizes) => {
    const rules = rulesFor(ranges(count));
    expect(rules.slice(0, -1).map(({ match }) => match.config.srcIpRanges.length)).toEqual(sizes);
    expect(rules.slice(0, -1).flatMap(({ match }) => match.config.srcIpRanges)).toEqual(ranges(count));
    expect(new Set(rules.map(({ priority }) => priority)).size).toBe(rules.length);
    expect(rules.at(-1)).toEqual(rule(DEFAULT_PRIORITY, ["*"], { action: "deny(403)" }));
  });

  test("admit the ranges and nobody else", () => {
    const made = policy(rulesFor(["192.0.2.0/24", "2001:db8::/32"]));
    expect(["192.0.2.77", "2001:db8::1"].map((client) => admits(made, client))).toEqual([true, true]);
    expect(["192.0.3.1", "2001:db9::1"].map((client) => admits(made, client))).toEqual([false, false]);
  });
});

describe("ruleChanges", () => {
  const CLOSED = rule(DEFAULT_PRIORITY, ["*"], { action: "deny(403)" });

  test.each<[string, SecurityRule[]]>([
    ["as it was made", rulesFor(ranges(12))],
    ["as Google may write it", [rule(7, ranges(2, 10).reverse()), CLOSED, rule(5, ranges(10).reverse())]],
  ])("are none for a policy %s", (_, rules) => {
    expect(ruleChanges(policy(rules), ranges(12))).toEqual([]);
    expect(ruleChanges(policy(rules), ranges(12).reverse())).toEqual([]);
  });

  test("are none for an IPv6 range that Google writes in another form", () => {
    const rules = [rule(1, ["2001:DB8:0:0:0:0:0:0/32"]), CLOSED];
    expect(ruleChanges(policy(rules), ["2001:db8::/32"])).toEqual([]);
  });

  test.each<[string, SecurityRule[], RuleChange["method"][]]>([
    ["another range", [rule(1000, ranges(1, 50)), CLOSED], ["addRule", "removeRule"]],
    ["a rule by hand", [rule(1, ranges(1, 50)), rule(1000, ranges(3)), CLOSED], ["removeRule"]],
    [
      "a refusal by hand",
      [rule(1, ranges(1), { action: "deny(403)" }), rule(2, ranges(3)), CLOSED],
      ["removeRule"],
    ],
    [
      "a rule that is only logged",
      [rule(1000, ranges(3), { preview: true }), CLOSED],
      ["addRule", "removeRule"],
    ],
    [
      "a rule that refuses",
      [rule(1000, ranges(3), { action: "deny(403)" }), CLOSED],
      ["addRule", "removeRule"],
    ],
    [
      "an expression",
      [rule(1000, [], { match: { config: { srcIpRanges: [] } } }), rule(1001, ranges(3)), CLOSED],
      ["removeRule"],
    ],
    [
      "a default rule that admits everybody",
      [rule(1000, ranges(3)), rule(DEFAULT_PRIORITY, ["*"])],
      ["patchRule"],
    ],
    [
      "a default rule that is only logged",
      [rule(1000, ranges(3)), { ...CLOSED, preview: true }],
      ["patchRule"],
    ],
    ["no rule but the default", [rule(DEFAULT_PRIORITY, ["*"])], ["addRule", "patchRule"]],
  ])("mend a policy with %s", (_, rules, methods) => {
    const changes = ruleChanges(policy(rules), ranges(3));
    expect(changes.map(({ method }) => method)).toEqual(methods);
    expect(ruleChanges(changes.reduce(applied, policy(rules)), ranges(3))).toEqual([]);
  });

  test.each([
    [12, 12, 5],
    [1, 40, 0],
    [40, 1, 39],
    [25, 25, 24],
    [30, 10, 60],
  ])(
    "from %i ranges to %i, %i further: nobody in both is ever refused, and nobody else is admitted then",
    (before, after, shift) => {
      const [old, wanted] = [ranges(before), ranges(after, shift)];
      let now = policy(rulesFor(old));
      const both = old.filter((range) => wanted.includes(range)).map((range) => range.replace("0/24", "9"));
      for (const change of ruleChanges(now, wanted)) {
        now = applied(now, change);
        expect(both.filter((client) => !admits(now, client))).toEqual([]);
      }
      for (const range of [...old, ...wanted]) {
        expect(admits(now, range.replace("0/24", "9"))).toBe(wanted.includes(range));
      }
    },
  );
});

describe("policyName", () => {
  const USE = { namespace: "default", ingress: "my-release-milvus", clusterUid: "u" };

  test("is one at Google, of at most 63 characters", () => {
    expect(policyName(USE)).toMatch(/^milvus-default-my-release-milvus-[0-9a-f]{8}$/);
    const long = policyName({ ...USE, namespace: "n".repeat(63), ingress: "i".repeat(253) });
    expect(long).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
  });

  test.each([
    [USE, policyName(USE), true],
    [USE, policyName({ ...USE, clusterUid: "v" }), true],
    [USE, policyName({ ...USE, ingress: "other" }), false],
    [USE, "my-own-policy", false],
    [USE, "", false],
  ])("%o may have %s: %s", (use, name, expected) => {
    expect(mayBePolicyOf(use, name)).toBe(expected);
  });

  test("is another one for another Ingress, namespace or cluster", () => {
    const others = [
      USE,
      { ...USE, clusterUid: "v" },
      { ...USE, namespace: "other" },
      { ...USE, ingress: "other" },
      { ...USE, namespace: "n".repeat(63) },
      { ...USE, namespace: "n".repeat(62) },
    ];
    expect(new Set(others.map(policyName)).size).toBe(others.length);
  });
});
