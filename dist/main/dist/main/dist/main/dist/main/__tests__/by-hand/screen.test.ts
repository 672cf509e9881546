import { expect, onTestFinished, test, vi } from "vitest";
import { screenOn } from "../../src/by-hand/screen.ts";

/** A stream that keeps what is written to it. */
function aStream(isTTY: boolean) {
  const written: string[] = [];
  const write = (text: string | Uint8Array) => written.push(String(text)) > 0;
  return { written, stream: { isTTY, columns: 24, write } };
}

test.each([
  { isTTY: false, environment: {} },
  { isTTY: true, environment: { TERM: "dumb" } },
])("there is no spinner with $isTTY and $environment", ({ isTTY, environment }) => {
  const { written, stream } = aStream(isTTY);
  const screen = screenOn(stream, environment);
  screen.doing("Look and plan");
  screen.print("one");
  screen.doing(undefined);
  expect(written).toEqual(["one\n"]);
});

test("on a terminal the spinner turns below the log, in one row, and goes at the end", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { written, stream } = aStream(true);
  const clear = "\r\x1b[2K";
  const screen = screenOn(stream, {});
  screen.print("▸ Plan");
  screen.doing("Plan");
  vi.advanceTimersByTime(200);
  screen.print("one");
  screen.doing("Plan");
  screen.doing("Wait for healthy backends");
  screen.doing(undefined);
  vi.advanceTimersByTime(1000);
  screen.print("end");
  expect(written).toEqual([
    "▸ Plan\n",
    `${clear}⠋ Plan 0.0s`,
    `${clear}⠙ Plan 0.1s`,
    `${clear}⠹ Plan 0.2s`,
    `${clear}one\n`,
    `${clear}⠹ Plan 0.2s`,
    clear,
    // "Wait for healthy backends" with its time has more than 23 columns.
    `${clear}⠋ Wait for healthy back`,
    clear,
    "end\n",
  ]);
});
