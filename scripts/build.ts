// Builds the action into the folder named by the first argument: TypeScript by tsc, then one ESM bundle by ncc.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";

const target = process.argv[2] ?? "dist";
rmSync("build/js", { recursive: true, force: true });
rmSync(target, { recursive: true, force: true });
const run = (program: string, ...args: string[]) =>
  execFileSync(process.execPath, [`node_modules/${program}`, ...args], { stdio: "inherit" });
run("typescript/bin/tsc", "-p", "tsconfig.build.json");
run("@vercel/ncc/dist/ncc/cli.js", "build", "build/js/main.js", "-o", target, "-m", "-q", "--license", "licenses.txt");
