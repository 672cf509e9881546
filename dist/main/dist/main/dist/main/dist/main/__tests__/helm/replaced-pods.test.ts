import * as v from "valibot";
import { expect, test } from "vitest";
import { replacementOf } from "../../src/helm/replaced-pods.ts";
import { Pod } from "../../src/kubernetes/objects.ts";

const PROXY = { component: "proxy" };

function pod(uid: string, { ready = true, ending = false, component = "proxy" } = {}): Pod {
  return v.parse(Pod, {
    metadata: {
      name: uid,
      uid,
      labels: { component },
      ...(ending && { deletionTimestamp: "2000-01-01T00:00:00Z" }),
    },
    status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  });
}

test.each<[what: string, moments: Pod[][], replaced: boolean[]]>([
  ["the pods of the first moment", [[pod("a"), pod("b")]], [false]],
  ["a new pod that isn't ready", [[pod("a")], [pod("a"), pod("b", { ready: false })]], [false, false]],
  ["a new pod beside a former one", [[pod("a")], [pod("a"), pod("b")]], [false, false]],
  ["only new pods", [[pod("a")], [pod("b")]], [false, true]],
  ["a former pod on its way out", [[pod("a")], [pod("a", { ending: true }), pod("b")]], [false, true]],
  ["only new pods, one not ready", [[pod("a")], [pod("b"), pod("c", { ready: false })]], [false, false]],
  ["no pods between the former and the new one", [[pod("a")], [], [pod("b")]], [false, false, true]],
  ["an installation", [[], [pod("a", { ready: false })], [pod("a")]], [false, false, true]],
  [
    "pods of another component",
    [
      [pod("a"), pod("n", { component: "querynode" })],
      [pod("b"), pod("n", { component: "querynode" })],
    ],
    [false, true],
  ],
])("replacementOf: %s", (_, moments, replaced) => {
  const isReplaced = replacementOf(PROXY);
  expect(moments.map(isReplaced)).toEqual(replaced);
});
