import { expect, test } from "vitest";
import { figuresOf } from "../../local-gke/resilience/figures.ts";

/** Calls at a steady pace of a tenth of a second, each with the fronts that answered it. */
function calls(...answers: string[][]) {
  return answers.map((answeredThrough, index) => ({ begun: 100 * index, answeredThrough }));
}

const OLD = ["old"];
const NEW = ["new"];
const FAILED: string[] = [];

test.each([
  { what: "none failed", of: calls(OLD, ["old", "new"], NEW), failed: 0, outage: 0 },
  {
    what: "the longer of two outages",
    of: calls(OLD, FAILED, OLD, FAILED, FAILED, NEW),
    failed: 3,
    outage: 0.2,
  },
  { what: "an outage that lasts to the end", of: calls(OLD, FAILED, FAILED, FAILED), failed: 3, outage: 0.2 },
  { what: "no calls", of: [], failed: 0, outage: 0 },
])("$what", ({ of, failed, outage }) => {
  expect(figuresOf(of, 0)).toMatchObject({ calls: of.length, failed, longestOutage: outage });
});

test("each front's first and last answer, counted from the start", () => {
  expect(figuresOf(calls(OLD, ["old", "new"], NEW, FAILED), 100).answers).toEqual({
    old: { first: -0.1, last: 0 },
    new: { first: 0, last: 0.1 },
  });
});
