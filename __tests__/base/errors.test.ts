import { describe, expect, test } from "vitest";
import { ActionError } from "../../src/base/errors.ts";

/**
 * What the runner shows of an annotation, and of the line in the log
 * (actions/runner, ExecutionContext.AddIssue).
 */
const ANNOTATION = 4096;

function error(why: string): ActionError {
  return new ActionError("It broke.", { why, fix: "mend it." });
}

describe("evidence that is too long for an annotation is shortened and", () => {
  const line = (number: number) =>
    `[${number}] ${'["fail to get grpc client in the retry state"] '.repeat(5)}[cause ${number}]`;
  const lines = Array.from({ length: 25 }, (_, index) => line(index + 1));

  test("leaves room for the remedy and for a text after it", () => {
    const { message } = error(["The last lines of container proxy:", ...lines].join("\n"));
    expect(message.length).toBeLessThan(3000);
    expect(message.split("\n").at(-1)).toBe("What to do: mend it.");
    for (const long of ["x".repeat(100_000), "x\n".repeat(50_000), `${"x".repeat(5000)}\n`.repeat(20)]) {
      expect(error(long).message.length).toBeLessThan(3000);
    }
    expect(`${message}\n${"x".repeat(1000)}`.length).toBeLessThan(ANNOTATION);
  });

  test("keeps the first line, the last ones, and both ends of each", () => {
    const [first, left, ...kept] = error(["The last lines:", ...lines].join("\n")).why?.split("\n") ?? [];
    expect(first).toBe("The last lines:");
    expect(left).toBe(`[${25 - kept.length} lines left out]`);
    expect(kept.length).toBeGreaterThan(10);
    expect(kept.at(-1)).toMatch(/^\[25\] .* … .*\[cause 25\]$/);
    expect(kept.every((each) => each.length < 210)).toBe(true);
  });

  test("keeps both ends of a single line", () => {
    const { why = "" } = error(`Error: ${"x".repeat(5000)}: the cause`);
    expect(why.length).toBeGreaterThan(2400);
    expect(why).toMatch(/^Error: x+ … x+: the cause$/);
  });
});

test("short evidence stays verbatim", () => {
  const why = `${"x".repeat(2000)}\n  indented`;
  expect(error(`\n${why}\n`).why).toBe(why);
  expect(error(why).message).toBe(`It broke.\nWhy: ${why}\nWhat to do: mend it.`);
  expect(new ActionError("It broke.").message).toBe("It broke.");
});
