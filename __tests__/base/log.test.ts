import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withoutCommands } from "../../src/base/log.ts";

test.each([
  ["::set-output name=uri::evil", ": :set-output name=uri::evil"],
  [" \t\u0085\u3000::stop-commands::x", " \t\u0085\u3000: :stop-commands::x"],
  ["fine\r::add-mask::a\r\n::error::b\n::debug::c", "fine\n: :add-mask::a\n: :error::b\n: :debug::c"],
  ["Translate ##[set-output name=uri;]evil ###[x]", "Translate # #[set-output name=uri;]evil ## #[x]"],
  [":::error::x", ": ::error::x"],
])("withoutCommands breaks every command in %j", (text, printed) => {
  expect(withoutCommands(text)).toBe(printed);
});

test.each(["std::bad_alloc at ::1", "# [a] ## b", "a: b", ":", ""])(
  "withoutCommands leaves %j unchanged",
  (text) => {
    expect(withoutCommands(text)).toBe(text);
  },
);

test("no source file prints to the log in another way", () => {
  const src = join(import.meta.dirname, "../../src");
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => /\.ts$/.test(file));
  const printing = files.filter((file) =>
    /\b(info|warning|setFailed)\b[^{}]*\} from "@actions\/core"|core\.(info|warning|setFailed)\(|\bconsole\.[a-z]+\(|stdout\.write/.test(
      readFileSync(join(src, file), "utf8"),
    ),
  );
  // By hand the log is the terminal's, and goes through withoutCommands too. The
  // third has a program in a text.
  expect(printing).toEqual(
    expect.arrayContaining([
      join("base", "log.ts"),
      join("by-hand", "main.ts"),
      join("report", "programs.ts"),
    ]),
  );
  expect(printing).toHaveLength(3);
});
