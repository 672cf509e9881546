// Builds the action into the folder named by the first argument: one program by Rolldown, in parts that are loaded on
// demand, and the licenses of what is in it.
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "rolldown";
import { licensesOf } from "./licenses.ts";

const target = process.argv[2] ?? "dist";
/** Built aside, so that the old program is whole until the new one is. */
const fresh = "build/fresh";
rmSync(fresh, { recursive: true, force: true });

const { output } = await build({
  input: "src/main.ts",
  platform: "node",
  resolve: {
    // @actions/http-client has it for callers that bring their own `fetch`. It would be a third of what a run loads.
    alias: { undici: join(import.meta.dirname, "no-undici.ts") },
  },
  output: {
    dir: fresh,
    format: "esm",
    minify: true,
    comments: false,
    entryFileNames: "index.js",
    chunkFileNames: "[name].js",
  },
});

const modules = output.flatMap((part) => (part.type === "chunk" ? part.moduleIds : []));
writeFileSync(join(fresh, "licenses.txt"), licensesOf(modules));
writeFileSync(join(fresh, "package.json"), '{\n  "type": "module"\n}\n');

rmSync(target, { recursive: true, force: true });
mkdirSync(dirname(target), { recursive: true });
renameSync(fresh, target);
