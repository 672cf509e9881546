import { expect, test } from "vitest";
import { asciiOnly } from "../../scripts/ascii-only.ts";

test("characters outside ASCII are escapes that mean the same", () => {
  expect(asciiOnly('const text = "µ 😀";')).toBe('const text = "\\u00b5 \\ud83d\\ude00";');
});
