// Builds the action into the folder named by the first argument. Rolldown compiles the sources and drops what
// nothing uses of their packages. ncc makes one program of that, in parts that are loaded when they are
// needed, and a minifier makes it shorter.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build } from "rolldown";
import { minifySync } from "rolldown/utils";
import { asciiOnly } from "./ascii-only.ts";
import { licensesOf } from "./licenses.ts";

const target = process.argv[2] ?? "dist";
const compiled = "build/js";
/** Built aside, so that the old program is whole until the new one is. */
const fresh = "build/fresh";
for (const folder of [compiled, fresh]) rmSync(folder, { recursive: true, force: true });

const absent = join(import.meta.dirname, "absent.ts");
const ABSENT = ["undici", "@grpc/proto-loader", "web-streams-polyfill/dist/ponyfill.es2018.js"];
const { output } = await build({
  input: "src/main.ts",
  platform: "node",
  // The paths of modules decide on the order of what they export: a node_modules that
  // is a link makes no difference.
  resolve: { symlinks: false, alias: Object.fromEntries(ABSENT.map((name) => [name, absent])) },
  output: {
    dir: compiled,
    format: "esm",
    minify: true,
    comments: false,
    entryFileNames: "index.js",
    chunkFileNames: "[name].js",
  },
});

// ncc keeps to the kind of modules that the nearest package.json names.
writeFileSync(join(compiled, "package.json"), '{ "type": "module" }\n');
const ncc = resolve("node_modules/@vercel/ncc/dist/ncc/cli.js");
execFileSync(process.execPath, [ncc, "build", "index.js", "-o", resolve(fresh), "-q"], {
  // It adds folders that the code names, as grpc-js does with `__dirname`, if they are below this one.
  cwd: compiled,
  stdio: "inherit",
});

// ncc copies a folder that it believes the program reads, and writes another path where that is named. It
// finds none in minified sources.
const foreign = readdirSync(fresh).filter((file) => !file.endsWith(".js") && file !== "package.json");
if (foreign.length > 0) throw new Error(`ncc has copied files: ${foreign.join(", ")}`);

for (const name of readdirSync(fresh).filter((file) => file.endsWith(".js"))) {
  const path = join(fresh, name);
  const { code, errors } = minifySync(name, readFileSync(path, "utf8"), { module: true });
  if (errors.length > 0) throw new Error(`${name} can't be minified`, { cause: errors });
  writeFileSync(path, asciiOnly(code));
}

const modules = output.flatMap((part) => (part.type === "chunk" ? part.moduleIds : []));
writeFileSync(join(fresh, "licenses.txt"), licensesOf(modules));

rmSync(target, { recursive: true, force: true });
mkdirSync(dirname(resolve(target)), { recursive: true });
renameSync(fresh, target);
