import * as v from "valibot";
import { expect, test } from "vitest";
import { NetworkPolicy, policiesAgainst } from "../../src/kubernetes/network-policy.ts";

const GOOGLE = ["130.211.0.1", "35.191.0.1"];
const ADMITS_GOOGLE = [{ ipBlock: { cidr: "130.211.0.0/22" } }, { ipBlock: { cidr: "35.191.0.0/16" } }];
const LABELS = { app: "milvus", tier: "proxy" };
const PORT = { number: 9091, name: "metrics" };
const deny = { podSelector: {} };
const admit = (rule: object, podSelector: object = {}) => ({ podSelector, ingress: [rule] });

test.each<[what: string, specs: Record<string, object>, against: string[]]>([
  ["no policy", {}, []],
  ["one that denies all", { deny }, ["deny"]],
  ["one for outgoing connections", { out: { ...deny, policyTypes: ["Egress"] } }, []],
  ["one for other pods", { deny: { podSelector: { matchLabels: { app: "etcd" } } } }, []],
  ["one for these pods", { deny: { podSelector: { matchLabels: { app: "milvus" } } } }, ["deny"]],
  ["one that admits everything", { all: admit({}) }, []],
  ["one that admits Google", { google: admit({ from: ADMITS_GOOGLE }) }, []],
  ["one that admits half of Google", { half: admit({ from: ADMITS_GOOGLE.slice(1) }) }, ["half"]],
  ["one that admits all addresses", { any: admit({ from: [{ ipBlock: { cidr: "0.0.0.0/0" } }] }) }, []],
  [
    "one that admits all addresses but Google's",
    { most: admit({ from: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["35.191.0.0/16"] } }] }) },
    ["most"],
  ],
  ["one that admits IPv6", { six: admit({ from: [{ ipBlock: { cidr: "::/0" } }] }) }, ["six"]],
  ["one that admits pods", { pods: admit({ from: [{ podSelector: {} }] }) }, ["pods"]],
  ["one that admits another port", { grpc: admit({ ports: [{ port: 19530 }] }) }, ["grpc"]],
  ["one that admits the port", { health: admit({ ports: [{ port: 19530 }, { port: 9091 }] }) }, []],
  ["one that admits the port by name", { health: admit({ ports: [{ port: "metrics" }] }) }, []],
  ["one that admits a range of ports", { range: admit({ ports: [{ port: 9000, endPort: 9100 }] }) }, []],
  ["one that admits any port of a protocol", { tcp: admit({ ports: [{ protocol: "TCP" }] }) }, []],
  ["one that denies and one that admits", { deny, google: admit({ from: ADMITS_GOOGLE }) }, []],
  [
    "one that denies and one that admits other pods",
    { deny, other: admit({}, { matchLabels: { a: "b" } }) },
    ["deny"],
  ],
])("%s", (_, specs, against) => {
  const policies = Object.entries(specs).map(([name, spec]) =>
    v.parse(NetworkPolicy, { metadata: { name }, spec }),
  );
  expect(policiesAgainst(policies, LABELS, GOOGLE, PORT)).toEqual(against);
});

test.each<[operator: string, key: string, values: string[] | undefined, isSelected: boolean]>([
  ["In", "tier", ["proxy", "data"], true],
  ["In", "tier", ["data"], false],
  ["In", "zone", ["a"], false],
  ["NotIn", "tier", ["data"], true],
  ["NotIn", "tier", ["proxy"], false],
  ["NotIn", "zone", ["a"], true],
  ["Exists", "tier", undefined, true],
  ["Exists", "zone", undefined, false],
  ["DoesNotExist", "zone", undefined, true],
  ["DoesNotExist", "tier", undefined, false],
])("pods that a policy selects by %s %s %s", (operator, key, values, isSelected) => {
  const expression = { operator, key, ...(values && { values }) };
  const spec = { podSelector: { matchExpressions: [expression] } };
  const policy = v.parse(NetworkPolicy, { metadata: { name: "p" }, spec });
  expect(policiesAgainst([policy], LABELS, GOOGLE, PORT)).toEqual(isSelected ? ["p"] : []);
});
