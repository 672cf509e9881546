import { describe, expect, test, vi } from "vitest";
import { EventRateLimiter } from "../../local-gke/ingress/events.ts";
import { Retry, WorkQueue } from "../../local-gke/ingress/queue.ts";

describe("WorkQueue", () => {
  test("retries after 5, 10, 20, ... ms, at most 1000 s, and resets the backoff after a success", async () => {
    vi.useFakeTimers();
    try {
      const tries: number[] = [];
      const start = performance.now();
      let failing = true;
      const queue = new WorkQueue(
        async () => {
          tries.push(performance.now() - start);
          if (failing) throw new Retry("not yet");
        },
        () => 5,
      );
      queue.add("key");
      await vi.advanceTimersByTimeAsync(10_300);
      expect(tries).toEqual([0, 5, 15, 35, 75, 155, 315, 635, 1275, 2555, 5115, 10235]);
      await vi.advanceTimersByTimeAsync(10_000_000);
      const waits = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
      expect(Math.max(...waits)).toBe(1_000_000);
      failing = false;
      queue.add("key");
      await vi.advanceTimersByTimeAsync(1_000_000);
      failing = true;
      tries.length = 0;
      queue.add("key");
      await vi.advanceTimersByTimeAsync(5);
      expect(tries).toHaveLength(2);
      await queue.stop();
    } finally {
      vi.useRealTimers();
    }
  });

  test("processes a key once at a time, again if it was added meanwhile, and other keys in parallel", async () => {
    const started: string[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const queue = new WorkQueue(
      async (key) => {
        started.push(key);
        if (key === "slow") await held;
      },
      () => 5,
    );
    for (const key of ["slow", "slow", "slow", "other"]) queue.add(key);
    expect(started).toEqual(["slow", "other"]);
    release();
    await vi.waitFor(() => expect(started).toEqual(["slow", "other", "slow"]), 100_000);
    await queue.stop();
  });
});

test("EventRateLimiter allows 25 at once, then one every five minutes", () => {
  const limiter = new EventRateLimiter(0);
  const taken = (now: number) => Array.from({ length: 30 }, () => limiter.take(now)).filter(Boolean).length;
  expect(taken(0)).toBe(25);
  expect(taken(299_999)).toBe(0);
  expect(taken(300_000)).toBe(1);
  expect(taken(24 * 3_600_000)).toBe(25);
});
