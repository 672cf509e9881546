// Builds the action into the folder named by the first argument: TypeScript by tsc, one ESM program by ncc, and
// terser for the parts that are loaded on demand, which ncc leaves as they are.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { minify } from "terser";

const target = process.argv[2] ?? "dist";
/** Built aside, so that the old program is whole until the new one is. */
const fresh = "build/fresh";
rmSync("build/js", { recursive: true, force: true });
rmSync(fresh, { recursive: true, force: true });
const run = (program: string, ...args: string[]) =>
  execFileSync(process.execPath, [join("node_modules", program), ...args], { stdio: "inherit" });
run("typescript/bin/tsc", "-p", "tsconfig.build.json");
run(
  "@vercel/ncc/dist/ncc/cli.js",
  "build",
  "build/js/main.js",
  "-o",
  fresh,
  "-q",
  "--license",
  "licenses.txt",
);

// Protocol files of gRPC services that this client doesn't offer.
for (const folder of ["proto", "protoc-gen-validate", "xds"])
  rmSync(join(fresh, folder), { recursive: true, force: true });

for (const name of readdirSync(fresh).filter((file) => file.endsWith("index.js"))) {
  const path = join(fresh, name);
  const { code } = await minify(readFileSync(path, "utf8"), { module: true, format: { comments: false } });
  writeFileSync(path, `${code ?? ""}\n`);
}

rmSync(target, { recursive: true, force: true });
renameSync(fresh, target);
