// Builds the action into the folder named by the first argument: one program by Rolldown, in parts that are loaded when
// they are needed, and the licenses of what is in it.
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build } from "rolldown";
import { asciiOnly, builtinsByRequire, partsOf } from "./bundle.ts";
import { licensesOf } from "./licenses.ts";

const target = process.argv[2] ?? "dist";
/** Built aside, so that the old program is whole until the new one is. */
const fresh = "build/fresh";
rmSync(fresh, { recursive: true, force: true });

const absent = join(import.meta.dirname, "absent.ts");
const entry = "src/main.ts";
const { output } = await build({
  input: entry,
  platform: "node",
  preserveEntrySignatures: false,
  resolve: { alias: { undici: absent, "@grpc/proto-loader": absent } },
  plugins: [builtinsByRequire, asciiOnly],
  output: {
    dir: fresh,
    format: "esm",
    minify: true,
    comments: false,
    entryFileNames: "index.js",
    chunkFileNames: "[name].js",
    codeSplitting: partsOf(entry, { start: [entry], run: ["src/deploy.ts", "src/teardown.ts"] }),
  },
});

const modules = output.flatMap((part) => (part.type === "chunk" ? part.moduleIds : []));
writeFileSync(join(fresh, "licenses.txt"), licensesOf(modules));
writeFileSync(join(fresh, "package.json"), '{\n  "type": "module"\n}\n');

rmSync(target, { recursive: true, force: true });
mkdirSync(dirname(resolve(target)), { recursive: true });
renameSync(fresh, target);
