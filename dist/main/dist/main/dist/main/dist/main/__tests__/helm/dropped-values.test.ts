import { expect, test } from "vitest";
import { describeDropped, droppedValues } from "../../src/helm/dropped-values.ts";
import { hasLoadBalancerValues } from "../../src/milvus/values.ts";
import { storedRelease } from "../support/observed.ts";

const OURS = { service: { annotations: { "cloud.google.com/neg": "{}" } } };
const history = (...revisions: [values: object, status?: string][]) =>
  revisions.map(([values, status = "superseded"], index) =>
    storedRelease({
      revision: index + 1,
      values: { ...values },
      status,
      description: status === "failed" ? "Upgrade failed" : "Upgrade complete",
    }),
  );

test.each([
  ["before the first deployment", history([{}, "deployed"]), undefined],
  ["while the values are there", history([{}], [OURS, "deployed"]), undefined],
  ["by the next upgrade", history([{}], [OURS], [{}, "deployed"]), { last: 2, dropped: 3 }],
  ["some upgrades ago", history([OURS], [{}], [{}, "deployed"]), { last: 1, dropped: 2 }],
  ["after a failed upgrade", history([OURS], [{}, "failed"], [{}, "deployed"]), { last: 1, dropped: 3 }],
  ["an upgrade with them that failed", history([{}, "deployed"], [OURS, "failed"]), undefined],
])("%s", (_, revisions, dropped) => {
  expect(droppedValues(revisions, hasLoadBalancerValues)).toEqual(dropped);
});

test("both revisions are named", () => {
  expect(describeDropped({ name: "my-release" }, { last: 2, dropped: 3 })).toMatch(
    /^Revision 3 of release my-release has dropped what this action had set in revision 2/,
  );
});
