import { expect, test, vi } from "vitest";
import { ActionError, OvertakenError } from "../../src/base/errors.ts";
import { replanWhenOvertaken } from "../../src/carry-out/replan.ts";
import { LostApiServerError, ReleaseBusyError } from "../../src/helm/error.ts";
import { captureLog } from "../support/job-log.ts";

captureLog();

/** Work that fails this many times, and then succeeds. */
function failing(times: number, error: Error) {
  let left = times;
  return vi.fn(async () => {
    left -= 1;
    if (left >= 0) throw error;
  });
}

const LOST = new LostApiServerError("helm upgrade of release r in namespace n failed.");
const OVERTAKEN = new OvertakenError("Release r in namespace n was changed by another run meanwhile.");
const BUSY = new ReleaseBusyError("helm upgrade failed: another operation is in progress.");

test.each<[what: string, error: Error, times: number, recoverPending: number | undefined]>([
  ["Helm has lost the API server three times", LOST, 3, undefined],
  ["another run got in first ten times", OVERTAKEN, 10, undefined],
  ["another run is busy, and recover_pending is set", BUSY, 10, 60_000],
])("a run plans again when %s", async (_, error, times, recoverPending) => {
  const work = failing(times, error);
  await replanWhenOvertaken({ recoverPending, mode: "deploy" }, work);
  expect(work).toHaveBeenCalledTimes(times + 1);
});

test.each<[what: string, error: Error, calls: number, recoverPending: number | undefined]>([
  ["Helm has lost the API server a fourth time", LOST, 4, undefined],
  ["another run got in first an eleventh time", OVERTAKEN, 11, undefined],
  ["another run is busy, and recover_pending is not set", BUSY, 1, undefined],
  ["something else failed", new ActionError("There is no namespace n in the cluster."), 1, 60_000],
])("a run ends when %s", async (_, error, calls, recoverPending) => {
  const work = failing(Number.POSITIVE_INFINITY, error);
  await expect(replanWhenOvertaken({ recoverPending, mode: "deploy" }, work)).rejects.toBe(error);
  expect(work).toHaveBeenCalledTimes(calls);
});

test("a plan waits for nobody: it ends when another run is busy", async () => {
  const work = failing(Number.POSITIVE_INFINITY, BUSY);
  await expect(replanWhenOvertaken({ recoverPending: 60_000, mode: "plan" }, work)).rejects.toBe(BUSY);
  expect(work).toHaveBeenCalledTimes(1);
});
