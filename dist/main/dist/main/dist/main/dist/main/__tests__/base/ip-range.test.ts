import { expect, test } from "vitest";
import { canonicalRange } from "../../src/base/ip-range.ts";

test.each([
  ["203.0.113.0/24", "203.0.113.0/24"],
  ["203.0.113.77/24", "203.0.113.0/24"],
  ["203.0.113.77", "203.0.113.77/32"],
  ["255.255.255.255/1", "128.0.0.0/1"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["2001:DB8:0:0::/32", "2001:db8::/32"],
  ["2001:db8:1:2:3:4:5:6/33", "2001:db8::/33"],
  ["2001:db8::1", "2001:db8::1/128"],
  ["::ffff:192.0.2.1/120", "::ffff:c000:200/120"],
  ["::/0", "::/0"],
  ["::1", "::1/128"],
  ["1::/16", "1::/16"],
])("%s is the range %s", (text, range) => {
  expect(canonicalRange(text)).toBe(range);
  expect(canonicalRange(range)).toBe(range);
});

test.each([
  "",
  "*",
  "10.0.0/8",
  "10.0.0.0/33",
  "10.0.0.0/-1",
  "10.0.0.0/08x",
  "010.0.0.1/8",
  "10.0.0.0/8 # office",
  "2001:db8::/129",
  "fe80::1%eth0",
  "2001:db8:::1/64",
  "milvus.io",
])("%j is no range", (text) => {
  expect(canonicalRange(text)).toBeUndefined();
});
