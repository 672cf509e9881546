import { expect, test } from "vitest";
import { quantityOf } from "../../src/kubernetes/quantity.ts";

test.each([
  [1, 1],
  ["1", 1],
  ["1000m", 1],
  ["500m", 0.5],
  ["0.5", 0.5],
  ["1Gi", 1_073_741_824],
  ["1024Mi", 1_073_741_824],
  ["1e3", 1000],
  ["2k", 2000],
  ["", undefined],
  ["a", undefined],
  [true, undefined],
])("the quantity %s is %s", (text, number) => {
  expect(quantityOf(text)).toBe(number);
});
