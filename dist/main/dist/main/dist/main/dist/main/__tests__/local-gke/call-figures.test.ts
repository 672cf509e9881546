import { expect, test } from "vitest";
import type { Call } from "../../local-gke/clients/caller.ts";
import { figuresOf } from "../../local-gke/clients/figures.ts";

/** Calls every tenth of a second, each with the ways in which Milvus answered. */
function calls(...answers: Call["answeredBy"][]): Call[] {
  return answers.map((answeredBy, index) => ({ begun: 100 * index, answeredBy }));
}

const OLD = ["old port"] as const;
const NEW = ["new port"] as const;
const FAILED = [] as const;

test.each([
  { what: "calls that all succeed", of: calls(OLD, [...OLD, ...NEW], NEW), failed: 0, outage: 0 },
  {
    what: "two outages",
    of: calls(OLD, FAILED, OLD, FAILED, FAILED, NEW),
    failed: 3,
    outage: 0.2,
  },
  { what: "an outage that lasts to the end", of: calls(OLD, FAILED, FAILED, FAILED), failed: 3, outage: 0.2 },
  { what: "no calls", of: [], failed: 0, outage: 0 },
])("figuresOf counts $what", ({ of, failed, outage }) => {
  expect(figuresOf(of)).toEqual({ failed, longestOutage: outage });
});
