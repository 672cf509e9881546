import * as v from "valibot";
import { expect, test } from "vitest";
import { replacementOf } from "../../src/helm/replaced-pods.ts";
import { Pod } from "../../src/kubernetes/objects.ts";

const PROXY = { component: "proxy" };
const GATE = "cloud.google.com/load-balancer-neg-ready";

interface Features {
  component?: string;
  label?: string;
  /** The condition of the pod's readiness gate; null while there is none. */
  gate?: "True" | "False" | "" | null;
  ready?: boolean;
  phase?: string;
  ending?: boolean;
}

/** A pod of a revision. */
function pod(revision: string, features: Features = {}): Pod {
  const { component = "proxy", label = "pod-template-hash", gate, ready = false, phase, ending } = features;
  return v.parse(Pod, {
    metadata: {
      name: `${component}-${revision}`,
      labels: { component, [label]: revision },
      ...(ending && { deletionTimestamp: "2000-01-01T00:00:00Z" }),
    },
    spec: gate === undefined ? {} : { readinessGates: [{ conditionType: GATE }] },
    status: {
      phase: phase ?? (ready ? "Running" : "Pending"),
      conditions: [
        { type: "Ready", status: ready ? "True" : "False" },
        ...(gate ? [{ type: GATE, status: gate }] : []),
      ],
    },
  });
}

const statefulSet = { label: "controller-revision-hash" };

test.each<[what: string, count: number, moments: Pod[][], replaced: boolean[]]>([
  ["the pods of the first moment", 1, [[pod("a", { ready: true })]], [false]],
  ["a new pod that isn't ready", 1, [[pod("a")], [pod("b")]], [false, true]],
  ["a new pod beside a former one", 1, [[pod("a", { ready: true })], [pod("a"), pod("b")]], [false, true]],
  ["no pods between the former and the new one", 1, [[pod("a")], [], [pod("b")]], [false, false, true]],
  ["an installation", 2, [[], [pod("a")], [pod("a"), pod("a")]], [false, false, true]],
  [
    "fewer new pods than there will be",
    2,
    [
      [pod("a"), pod("a")],
      [pod("a"), pod("b")],
    ],
    [false, false],
  ],
  ["another pod of the former revision", 1, [[pod("a")], [pod("a"), pod("a")]], [false, false]],
  ["a new pod on its way out", 1, [[pod("a")], [pod("b", { ending: true })]], [false, false]],
  ["a new pod that was evicted", 1, [[pod("a")], [pod("b", { phase: "Failed" })]], [false, false]],
  ["no condition of the gate yet", 1, [[pod("a")], [pod("b", { gate: null })]], [false, false]],
  ["a gate that waits, ready or not", 1, [[pod("a")], [pod("b", { gate: "", ready: true })]], [false, false]],
  [
    "an open gate",
    1,
    [[pod("a")], [pod("b", { gate: "False" })], [pod("b", { gate: "True" })]],
    [false, false, true],
  ],
  [
    "one closed gate of two",
    2,
    [[pod("a")], [pod("b", { gate: "True" }), pod("b", { gate: "" })]],
    [false, false],
  ],
  [
    "a closed gate of a former pod",
    1,
    [[pod("a", { gate: "" })], [pod("a", { gate: "" }), pod("b")]],
    [false, true],
  ],
  [
    "a StatefulSet's pods, one after the other",
    2,
    [
      [pod("a", statefulSet), pod("a", statefulSet)],
      [pod("a", statefulSet), pod("b", statefulSet)],
      [pod("b", statefulSet), pod("b", statefulSet)],
    ],
    [false, false, true],
  ],
  [
    "pods of another component",
    1,
    [
      [pod("a"), pod("n", { component: "querynode" })],
      [pod("a"), pod("m", { component: "querynode" })],
      [pod("b"), pod("m", { component: "querynode", gate: "" })],
    ],
    [false, false, true],
  ],
])("replacementOf: %s", (_, count, moments, replaced) => {
  const isReplaced = replacementOf({ labels: PROXY, count });
  expect(moments.map(isReplaced)).toEqual(replaced);
});
