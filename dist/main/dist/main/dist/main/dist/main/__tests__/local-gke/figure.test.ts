import { expect, test } from "vitest";
import { median, rowOf } from "../../local-gke/bench/figure.ts";

test.each([
  { values: [5], middle: 5 },
  { values: [9, 1, 5], middle: 5 },
  { values: [10, 9, 2, 1], middle: 5.5 },
])("the median of $values is $middle", ({ values, middle }) => {
  expect(median(values)).toBe(middle);
});

test("rowOf returns name, median, range, number of runs and target", () => {
  expect(rowOf({ name: "a", unit: "ms", values: [1, 2, 30], target: 50 })).toEqual([
    "a",
    "2 ms",
    "1 ms to 30 ms",
    "3",
    "50 ms",
  ]);
  expect(rowOf({ name: "b", unit: "MB", values: [1.234] })).toEqual(["b", "1.23 MB", "", "1", ""]);
});
