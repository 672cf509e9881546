import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { untilCancelled } from "../../src/base/cancellation.ts";
import { CancelledError } from "../../src/base/errors.ts";

/** The runner kills the process 10 seconds after it has asked it to end. */
const RUNNERS_PATIENCE_MS = 10_000;
const CANCELLED = new CancelledError("SIGINT");

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("work that ends after a cancellation counts as it ended", async () => {
  const cancellation = new AbortController();
  const { promise, resolve } = Promise.withResolvers<string>();
  const settled = untilCancelled(promise, cancellation.signal);
  cancellation.abort(CANCELLED);
  await vi.advanceTimersByTimeAsync(5000);
  resolve("rolled back");
  expect(await settled).toBe("rolled back");
});

test("work that hangs after a cancellation is left while the runner still waits", async () => {
  const cancellation = new AbortController();
  const settled = untilCancelled(new Promise(() => {}), cancellation.signal).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(RUNNERS_PATIENCE_MS);
  cancellation.abort(CANCELLED);
  await vi.advanceTimersByTimeAsync(RUNNERS_PATIENCE_MS - 1);
  expect(await settled).toBe(CANCELLED);
});
