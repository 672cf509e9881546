import { expect, test } from "vitest";
import { progressLine, type ShownLine } from "../../src/base/progress.ts";

const MINUTE = 60_000;

test.each<
  [what: string, shown: ShownLine | undefined, text: string, elapsed: number, line: string | undefined]
>([
  ["the first", undefined, "waiting for a", MINUTE / 2, "30s of 1h: waiting for a"],
  ["a change", { text: "waiting for a", at: 0 }, "waiting for b", MINUTE, "1m of 1h: waiting for b"],
  ["no change", { text: "waiting for a", at: MINUTE }, "waiting for a", 2 * MINUTE, undefined],
  [
    "no change for long",
    { text: "waiting for a", at: MINUTE },
    "waiting for a",
    3 * MINUTE,
    "3m of 1h: nothing has changed.",
  ],
])("a line of progress: %s", (_, shown, text, elapsed, line) => {
  expect(progressLine(shown, text, elapsed, 60 * MINUTE)).toBe(line);
});

test("a line of progress of a wait without a limit", () => {
  expect(progressLine(undefined, "waiting", MINUTE, undefined)).toBe("1m: waiting");
});
