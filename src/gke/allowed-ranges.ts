import { createHash } from "node:crypto";
import { canonicalRange } from "../base/ip-range.ts";
import type { SecurityPolicy, SecurityRule } from "./compute-resources.ts";

/** Limit of a rule with SRC_IPS_V1 (cloud.google.com/armor/quotas). */
const RANGES_PER_RULE = 10;
/** The priority of each policy's last rule: it is for clients that no other rule matches (compute API). */
const DEFAULT_PRIORITY = 2_147_483_647;
const FIRST_PRIORITY = 1000;
const REFUSED = "deny(403)";
/** The longest name at Google is 63 characters (RFC 1035): this leaves room for the hash. */
const LONGEST_READABLE_NAME = 50;

/** The Ingress whose clients a policy admits. */
export interface PolicyUse {
  namespace: string;
  ingress: string;
  /** UID of the namespace kube-system, which tells the clusters of a project apart. */
  clusterUid: string;
}

/** A change of one rule of a policy. */
export type RuleChange =
  | { method: "addRule" | "patchRule"; rule: SecurityRule }
  | { method: "removeRule"; priority: number };

/** Tells whether a policy may be the one of an Ingress, whatever the cluster. */
export function mayBePolicyOf(use: Pick<PolicyUse, "namespace" | "ingress">, name: string): boolean {
  return new RegExp(`^${readableName(use)}-[0-9a-f]{8}$`).test(name);
}

/** Returns the name of an Ingress's policy. No other Ingress of the project has it, in whatever cluster. */
export function policyName({ namespace, ingress, clusterUid }: PolicyUse): string {
  const hash = createHash("sha256").update(`${clusterUid};${namespace};${ingress}`).digest("hex").slice(0, 8);
  return `${readableName({ namespace, ingress })}-${hash}`;
}

function readableName({ namespace, ingress }: Pick<PolicyUse, "namespace" | "ingress">): string {
  return `milvus-${namespace}-${ingress}`.slice(0, LONGEST_READABLE_NAME);
}

/** Returns the description by which this action recognizes its own policy. */
export function policyDescription({ namespace, ingress }: Pick<PolicyUse, "namespace" | "ingress">): string {
  return `allowed_ranges of milvus-gke-load-balancer for Ingress ${namespace}/${ingress}`;
}

/**
 * Returns the rules that admit these ranges and nobody else.
 *
 * @param ranges in their canonical form
 */
export function rulesFor(ranges: readonly string[]): SecurityRule[] {
  const allow = chunksOf(ranges).map((chunk, index) => allowRule(FIRST_PRIORITY + index, chunk));
  return [...allow, DEFAULT_RULE];
}

const DEFAULT_RULE: SecurityRule = { ...allowRule(DEFAULT_PRIORITY, ["*"]), action: REFUSED };

/**
 * Returns the changes that make a policy admit these ranges and nobody else. New rules come first, so that a
 * client in an old and a new range is admitted all the time.
 */
export function ruleChanges({ rules }: SecurityPolicy, ranges: readonly string[]): RuleChange[] {
  const live = rules.filter(({ priority }) => priority !== DEFAULT_PRIORITY);
  const wanted = chunksOf(ranges);
  const keptAs = wanted.map((chunk) => live.find((rule) => admits(rule, chunk)));
  const taken = new Set(live.map(({ priority }) => priority));
  const nextPriority = () => {
    let priority = FIRST_PRIORITY;
    while (taken.has(priority)) priority += 1;
    taken.add(priority);
    return priority;
  };
  const added = wanted.filter((_, index) => !keptAs[index]);
  const defaultRule = rules.find(({ priority }) => priority === DEFAULT_PRIORITY);
  const refusesOthers = defaultRule?.action === REFUSED && !defaultRule.preview;
  return [
    ...added.map((chunk) => ({ method: "addRule" as const, rule: allowRule(nextPriority(), chunk) })),
    ...(refusesOthers ? [] : [{ method: "patchRule" as const, rule: DEFAULT_RULE }]),
    ...live
      .filter((rule) => !keptAs.includes(rule))
      .map(({ priority }) => ({ method: "removeRule" as const, priority })),
  ];
}

function admits({ action, preview, match }: SecurityRule, chunk: readonly string[]): boolean {
  const live = match.config.srcIpRanges.map((range) => canonicalRange(range) ?? range).sort();
  return (
    action === "allow" &&
    !preview &&
    match.versionedExpr === "SRC_IPS_V1" &&
    live.join() === chunk.toSorted().join()
  );
}

function allowRule(priority: number, srcIpRanges: string[]): SecurityRule {
  return {
    priority,
    action: "allow",
    preview: false,
    match: { versionedExpr: "SRC_IPS_V1", config: { srcIpRanges } },
  };
}

/** The same ranges in another order give the same chunks. */
function chunksOf(ranges: readonly string[]): string[][] {
  const sorted = [...new Set(ranges)].sort();
  return Array.from({ length: Math.ceil(sorted.length / RANGES_PER_RULE) }, (_, index) =>
    sorted.slice(index * RANGES_PER_RULE, (index + 1) * RANGES_PER_RULE),
  );
}
