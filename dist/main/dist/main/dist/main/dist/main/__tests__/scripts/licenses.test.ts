import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { licensesOf } from "../../scripts/licenses.ts";

async function packages(files: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "licenses-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(directory, name, ".."), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  return directory;
}

function manifest(name: string, version = "1.0.0"): string {
  return JSON.stringify({ name, version, license: "MIT" });
}

test("each package is named once, with the text of its license", async () => {
  const directory = await packages({
    "node_modules/one/package.json": manifest("one"),
    "node_modules/one/LICENSE.md": "Copyright One\r\nAll yours\r\n",
    "node_modules/one/lib/package.json": '{"type":"module"}',
    "node_modules/@a/two/package.json": manifest("@a/two"),
    "node_modules/@a/two/node_modules/one/package.json": manifest("one", "2.0.0"),
    "node_modules/@a/two/node_modules/one/licence": "Copyright One, too\n",
  });
  const modules = [
    "src/main.ts",
    "\0rolldown/runtime.js",
    "node_modules/one/lib/index.js",
    "node_modules/one/lib/more.js",
    "node_modules/@a/two/index.js",
    "node_modules/@a/two/node_modules/one/index.js",
  ];
  expect(licensesOf(modules.map((path) => join(directory, path)))).toBe(
    "@a/two 1.0.0\nMIT\n\none 1.0.0\nMIT\nCopyright One\nAll yours\n\none 2.0.0\nMIT\nCopyright One, too\n",
  );
});
