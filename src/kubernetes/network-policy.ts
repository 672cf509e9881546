import { BlockList } from "node:net";
import * as v from "valibot";
import { ListedObject } from "./objects.ts";

const LabelSelector = v.looseObject({
  matchLabels: v.optional(v.record(v.string(), v.string()), {}),
  matchExpressions: v.optional(
    v.array(
      v.looseObject({ key: v.string(), operator: v.string(), values: v.optional(v.array(v.string()), []) }),
    ),
    [],
  ),
});

export const NetworkPolicy = v.looseObject({
  ...ListedObject.entries,
  spec: v.looseObject({
    podSelector: LabelSelector,
    policyTypes: v.optional(v.array(v.string()), ["Ingress"]),
    ingress: v.optional(
      v.array(
        v.looseObject({
          from: v.optional(
            v.array(
              v.looseObject({
                ipBlock: v.optional(
                  v.looseObject({ cidr: v.string(), except: v.optional(v.array(v.string()), []) }),
                ),
              }),
            ),
            [],
          ),
          ports: v.optional(
            v.array(
              v.looseObject({
                port: v.optional(v.union([v.string(), v.number()])),
                endPort: v.optional(v.number()),
              }),
            ),
            [],
          ),
        }),
      ),
      [],
    ),
  }),
});
export type NetworkPolicy = v.InferOutput<typeof NetworkPolicy>;

type Labels = Record<string, string>;

/** A port of a pod; the name is the one that its container gives it. */
export interface PodPort {
  number: number;
  name: string | undefined;
}

/**
 * Returns the names of the policies that keep connections from addresses out of a pod. A pod that policies
 * select takes what any of them admits (kubernetes.io/docs/concepts/services-networking/network-policies).
 *
 * @param addresses IPv4 addresses, all of which must get in
 */
export function policiesAgainst(
  policies: readonly NetworkPolicy[],
  labels: Labels,
  addresses: readonly string[],
  port: PodPort,
): string[] {
  const selecting = policies.filter(
    ({ spec }) => spec.policyTypes.includes("Ingress") && matches(spec.podSelector, labels),
  );
  const rules = selecting.flatMap(({ spec }) => spec.ingress).filter(({ ports }) => admitsPort(ports, port));
  const isAdmitted = (address: string) =>
    rules.some(
      ({ from }) => from.length === 0 || from.some(({ ipBlock }) => ipBlock && isIn(ipBlock, address)),
    );
  return addresses.every(isAdmitted) ? [] : selecting.map(({ metadata }) => metadata.name);
}

type Selector = v.InferOutput<typeof LabelSelector>;
type Rule = NetworkPolicy["spec"]["ingress"][number];

function matches({ matchLabels, matchExpressions }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values }) => {
      const value = labels[key];
      if (operator === "Exists") return value !== undefined;
      if (operator === "DoesNotExist") return value === undefined;
      const isListed = value !== undefined && values.includes(value);
      return operator === "In" ? isListed : !isListed;
    })
  );
}

function admitsPort(ports: Rule["ports"], { number, name }: PodPort): boolean {
  if (ports.length === 0) return true;
  return ports.some(({ port, endPort }) => {
    if (port === undefined || port === name) return true;
    return typeof port === "number" && number >= port && number <= (endPort ?? port);
  });
}

function isIn({ cidr, except }: NonNullable<Rule["from"][number]["ipBlock"]>, address: string): boolean {
  return contains(cidr, address) && !except.some((range) => contains(range, address));
}

function contains(range: string, address: string): boolean {
  const [network = "", prefix] = range.split("/");
  if (network.includes(":")) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), "ipv4");
  return list.check(address, "ipv4");
}
