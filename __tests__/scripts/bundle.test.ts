import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type OutputChunk, rolldown } from "rolldown";
import { expect, onTestFinished, test } from "vitest";
import { asciiOnly, builtinsByRequire, partsOf } from "../../scripts/bundle.ts";

/** Bundles files whose first one is the entry. */
async function bundle(files: Record<string, string>, part: string): Promise<Record<string, OutputChunk>> {
  const directory = await mkdtemp(join(tmpdir(), "bundle-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  const [entry = ""] = Object.keys(files).map((name) => join(directory, name));
  const built = await rolldown({
    input: entry,
    platform: "node",
    preserveEntrySignatures: false,
    plugins: [builtinsByRequire, asciiOnly],
  });
  const { output } = await built.generate({
    entryFileNames: "index.js",
    chunkFileNames: "[name].js",
    codeSplitting: partsOf(entry, { [part]: [entry], more: [join(directory, "later.js")] }),
  });
  return Object.fromEntries(output.flatMap((each) => (each.type === "chunk" ? [[each.fileName, each]] : [])));
}

test("Node.js's own modules are required, so that none of their exports is read at the start", async () => {
  const chunks = await bundle(
    { "main.js": 'import { request } from "node:http";\nimport "fs";\nconsole.log(request);' },
    "start",
  );
  const code = Object.values(chunks).map((chunk) => chunk.code);
  expect(code.join("\n")).toMatch(/\w+\("node:http"\)/);
  expect(Object.values(chunks).flatMap(({ imports }) => imports)).not.toContain("node:http");
  expect(code.join("\n")).not.toMatch(/from "(node:)?(http|fs)"/);
});

test("characters outside ASCII are escapes that mean the same", async () => {
  const { "index.js": index } = await bundle(
    { "main.js": 'export const text = "µ 😀";\nconsole.log(text);' },
    "a",
  );
  expect(index?.code).toContain('"\\u00b5 \\ud83d\\ude00"');
});

test("a part is one file, and what needs the first part doesn't import the entry", async () => {
  const chunks = await bundle(
    {
      "main.js":
        'import { a } from "./a.js";\nimport { b } from "./b.js";\na(b);\nawait import("./later.js");',
      "a.js": 'import { b } from "./b.js";\nexport const a = (x) => console.log(x, b);',
      "b.js": "export const b = 1;",
      "later.js": 'import { a } from "./a.js";\nimport { c } from "./c.js";\na(c);',
      "c.js": "export const c = () => process.argv;",
    },
    "start",
  );
  const { "index.js": index, "more.js": more } = chunks;
  expect(index).toMatchObject({ moduleIds: [expect.stringContaining("main.js")], imports: ["start.js"] });
  expect(more?.imports).toEqual(["start.js"]);
  expect(more?.moduleIds.map((id) => basename(id)).sort()).toEqual(["c.js", "later.js"]);
});
