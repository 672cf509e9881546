import { expect, test } from "vitest";
import { figuresOf } from "../../local-gke/resilience/figures.ts";

/** Calls every tenth of a second, each with the endpoints that responded. */
function calls(...answers: string[][]) {
  return answers.map((answeredBy, index) => ({ begun: 100 * index, answeredBy }));
}

const OLD = ["old"];
const NEW = ["new"];
const FAILED: string[] = [];

test.each([
  { what: "calls that all succeed", of: calls(OLD, ["old", "new"], NEW), failed: 0, outage: 0 },
  {
    what: "two outages",
    of: calls(OLD, FAILED, OLD, FAILED, FAILED, NEW),
    failed: 3,
    outage: 0.2,
  },
  { what: "an outage that lasts to the end", of: calls(OLD, FAILED, FAILED, FAILED), failed: 3, outage: 0.2 },
  { what: "no calls", of: [], failed: 0, outage: 0 },
])("figuresOf counts $what", ({ of, failed, outage }) => {
  expect(figuresOf(of, 0)).toMatchObject({ calls: of.length, failed, longestOutage: outage });
});

test("figuresOf returns the first and the last response of each endpoint", () => {
  expect(figuresOf(calls(OLD, ["old", "new"], NEW, FAILED), 100).answers).toEqual({
    old: { first: -0.1, last: 0 },
    new: { first: 0, last: 0.1 },
  });
});
