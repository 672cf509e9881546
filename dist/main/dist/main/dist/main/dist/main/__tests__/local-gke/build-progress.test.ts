import { expect, test } from "vitest";
import { bar, progressText } from "../../local-gke/binaries/progress.ts";

const MINUTE = 60_000;

test.each([
  [0, 1930, 5_000, "0 of 1,930 packages"],
  [412, 1930, 10_000, "412 of 1,930 packages"],
  [0, 1930, MINUTE, "0 of 1,930 packages"],
  [412, 1930, MINUTE, "412 of 1,930 packages, about 9 min left"],
  [1200, 1930, 8 * MINUTE, "1,200 of 1,930 packages, about 8 min left"],
  [1900, 1930, 10 * MINUTE, "1,900 of 1,930 packages, about 15 s left"],
  [1930, 1930, 11 * MINUTE, "1,930 of 1,930 packages, linking"],
  [0, 0, 0, "0 of 0 packages, linking"],
])("%i of %i packages after %i ms are shown as: %s", (begun, total, elapsedMs, text) => {
  expect(progressText({ begun, total, elapsedMs })).toBe(text);
});

test.each([
  [0, 10, "[--------------------]"],
  [5, 10, "[##########----------]"],
  [10, 10, "[####################]"],
  [0, 0, "[####################]"],
])("%i of %i packages are drawn as %s", (begun, total, text) => {
  expect(bar({ begun, total, elapsedMs: 0 })).toBe(text);
});
