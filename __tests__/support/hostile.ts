import fc from "fast-check";
import { expect } from "vitest";
import { ActionError, messageOf } from "../../src/base/errors.ts";

/** How many texts each property is tried with. `npm run fuzz` tries more. */
export const RUNS = Number(process.env.FUZZ_RUNS ?? 1500);

/** For more runs than usual, in milliseconds. */
export const LIMIT_MS = 60_000 + RUNS * 20;

const MEGABYTE = 1_000_000;

/** Six aliases deep: a million values in a few lines. */
const BOMB = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${[..."bcdefg"]
  .map((key, index) => {
    const former = "abcdef"[index];
    return `${key}: &${key} [${Array.from({ length: 10 }, () => `*${former}`).join(",")}]`;
  })
  .join("\n")}\n`;

/**
 * What the runner, a shell, YAML, JavaScript, a terminal, a file system or a
 * regular expression could fall for.
 */
export const HOSTILE = [
  "::error::injected",
  "\n::set-output name=uri::injected\n",
  "\r::add-mask::a\r\n##[set-env name=PATH]injected",
  "##[error]injected",
  "\u0085\u3000::stop-commands::x",
  "$" + "{{ secrets.TOKEN }}",
  "$(touch /tmp/injected); `touch /tmp/injected` | & ' \" \\",
  "--post-renderer=/bin/false",
  "-",
  "../../../../../../etc/passwd",
  "/dev/zero",
  "/proc/self/environ",
  "file:///etc/passwd",
  "__proto__",
  "__proto__: {polluted: true}",
  '{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}',
  "constructor: {prototype: {polluted: true}}",
  "<<: *missing",
  "a: &a {b: *a}",
  BOMB,
  "\u001b[2J\u001b[31mred\u001b]8;;https://injected.example\u0007link\u001b]8;;\u0007",
  "\u0000",
  "\ufeffa: 1",
  "\ud800",
  "münchen.example",
  "xn--mnchen-3ya.example",
  "a\u202eb",
  "💣".repeat(300),
  "1e999h",
  "-1s",
  "99999999999999999999h",
  "999999999999999999999999999999",
  "0x10",
  "NaN",
  "user:S3cret@example.com",
  "https://user:S3cret/@example.com",
  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
  "-----BEGIN ".repeat(20_000),
  "kind: Config\napiVersion: v1\nusers: [{user: {token: 5}}]\n",
  "{}",
  "[]",
  "~",
  "!!js/function 'function () {}'",
  "a: !!binary x",
  "- ".repeat(5000),
  "[".repeat(20_000),
  `${"{a: ".repeat(20_000)}`,
  `${"a".repeat(300)}.example`,
  "x".repeat(MEGABYTE),
  "1".repeat(MEGABYTE),
  " ".repeat(MEGABYTE),
  "\n".repeat(MEGABYTE / 10),
  "a.".repeat(MEGABYTE / 2),
  "://".repeat(MEGABYTE / 3),
  "a,".repeat(MEGABYTE / 10),
  "a: 1\n".repeat(MEGABYTE / 20),
  "@".repeat(MEGABYTE),
  "1h".repeat(MEGABYTE / 10),
];

/** Hostile, random and usual texts, also beside each other, of at most some ten thousand characters. */
export const shortHostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...HOSTILE.filter(({ length }) => length < 10_000)) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.json() },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.constantFrom(...HOSTILE.filter(({ length }) => length < 200), "a", ": ", "\n", "---\n"), {
        maxLength: 6,
      })
      .map((parts) => parts.join("")),
  },
);

/** The same with the long ones, for what takes several texts: each by itself is one of {@link tryEach}'s. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 9, arbitrary: shortHostileText },
  // They cost time.
  { weight: 1, arbitrary: fc.constantFrom(...HOSTILE) },
);

/** Longer than any error has to be. */
const LONGEST_ERROR = 30_000;

/** Runs work that may throw an error for the job log, and no other. Returns the error's text. */
export function refusalOf(work: () => unknown): string {
  try {
    work();
    return "";
  } catch (error) {
    return textOf(error);
  }
}

/** Returns the text of an error for the job log. */
export function textOf(error: unknown): string {
  if (!(error instanceof ActionError)) throw error;
  expect(error.message.length).toBeLessThan(LONGEST_ERROR);
  return error.message;
}

/** Runs work on each hostile text, and names the text on which it fails. */
export function tryEach(work: (text: string) => unknown): void {
  for (const text of HOSTILE) {
    const started = performance.now();
    const name = `${JSON.stringify(text.slice(0, 40))} (${text.length} characters)`;
    try {
      work(text);
    } catch (error) {
      throw new Error(`${name}: ${messageOf(error)}`, { cause: error });
    }
    const seconds = (performance.now() - started) / 1000;
    // A limit for work that never ends: the longest takes a tenth of that on a busy machine.
    if (seconds > 20) throw new Error(`${name} took ${seconds} s`);
  }
}
