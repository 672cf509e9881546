import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { expect, onTestFinished, test } from "vitest";
import { asciiOnly } from "../../scripts/ascii-only.ts";

test("characters outside ASCII are escapes that mean the same", async () => {
  const directory = await mkdtemp(join(tmpdir(), "bundle-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const input = join(directory, "main.js");
  await writeFile(input, 'export const text = "µ 😀";\nconsole.log(text);');
  const bundle = await rolldown({ input, plugins: [asciiOnly] });
  const { output } = await bundle.generate();
  expect(output[0].code).toContain('"\\u00b5 \\ud83d\\ude00"');
});
