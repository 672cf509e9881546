import { describe, expect, test } from "vitest";
import { formatDuration, parseDuration } from "../../src/base/duration.ts";

describe("parseDuration", () => {
  test.each([
    ["90s", 90_000],
    ["45m", 2_700_000],
    ["1h30m", 5_400_000],
    ["0.5h", 1_800_000],
    ["16.1s", 16_100],
    ["0.55h", 1_980_000],
    ["300ms", 300],
    ["7us", 0.007],
    ["7µs", 0.007],
    ["5ns", 0.000005],
    ["0s", 0],
    ["1s1s", 2000],
  ])("%s", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each([
    "",
    "15",
    "5 m",
    "-5m",
    "5M",
    "1d",
    "m",
    "1h30",
    "45m ",
    "45m\n",
    "1e3s",
    "Infinity",
    "١s",
    "1.s",
    "--wait",
  ])("refuses %j", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

test.each([
  [0, "0.0s"],
  [412, "0.4s"],
  [9_949, "9.9s"],
  [9_950, "10s"],
  [59_600, "1m"],
  [3_600_000, "1h"],
  [3_605_000, "1h 5s"],
  [2_465_000, "41m 5s"],
])("formatDuration(%i)", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});
