import { expect, test } from "vitest";
import { printable, shortened, withoutMiddle } from "../../src/base/text.ts";

test.each([
  ["plain text\twith\nlines\r\nand umlauts: ü 💣", "plain text\twith\nlines\r\nand umlauts: ü 💣"],
  ["\u001b[31mred\u001b[0m", "red"],
  ["\u001b[2J\u001b[1;1Hcleared", "cleared"],
  ["a\u0000b\u0007c\u007fd\u009be", "abcde"],
  ["#\u0000#[error]x", "##[error]x"],
])("printable(%j)", (text, expected) => {
  expect(printable(text)).toBe(expected);
});

test("shortened keeps the first line and the last ones, and both ends of a single line", () => {
  expect(shortened("short", 10)).toBe("short");
  expect(shortened(["first", ...Array(1000).fill("middle"), "last"].join("\n"), 500)).toMatch(
    /^first\n\[\d+ lines left out\]\n(middle\n)+last$/,
  );
  expect(shortened(`begin${"x".repeat(1000)}end`, 500)).toMatch(/^begin.* … .*end$/);
});

test("withoutMiddle", () => {
  expect(withoutMiddle("abcdef", 6)).toBe("abcdef");
  expect(withoutMiddle("abcdefg", 6)).toBe("abc … efg");
});
