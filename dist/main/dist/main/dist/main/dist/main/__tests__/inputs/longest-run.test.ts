import { expect, test } from "vitest";
import { longestRun } from "../../src/inputs/longest-run.ts";
import { settings } from "../support/observed.ts";

const LIMITS = {
  helm_timeout: "1m",
  address_timeout: "10m",
  backends_timeout: "100m",
  certificate_timeout: "16h",
  certificate_presented_timeout: "160h",
};

test.each<[inputs: Record<string, string>, minutes: number]>([
  [{}, 1 + 1 + 10 + 100 + 100],
  [{ rollback_on_failure: "false" }, 1 + 10 + 100 + 100],
  [{ verify: "false" }, 1 + 1 + 10 + 100],
  [{ wait_for: "address" }, 1 + 1 + 10],
  [{ wait_for: "none" }, 1 + 1],
  [{ certificate: "google-managed" }, 1 + 1 + 10 + 100 + 100 + 960 + 9600],
  [{ certificate: "google-managed", verify: "false" }, 1 + 1 + 10 + 100 + 960],
  [{ mode: "plan" }, 0],
  [{ mode: "teardown" }, 1 + 1],
])("with %o a run takes at most %d minutes", (inputs, minutes) => {
  expect(longestRun(settings({ ...LIMITS, ...inputs }))).toBe(minutes * 60_000);
});
