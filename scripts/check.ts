// Runs the checks side by side. Each prints its findings when it has ended.
import { run } from "../src/base/process.ts";

const CHECKS = [
  ["biome", "check", "--error-on-warnings", "."],
  ["tsc", "--noEmit"],
  ["node", "scripts/check-dist.ts"],
  ["node", "scripts/lint-workflows.ts"],
] as const;

await Promise.all(
  CHECKS.map(async ([name, ...args]) => {
    const { exitCode, stdout } = await run({ name, path: name }, args, { onErrorLine: console.error });
    process.stdout.write(stdout);
    if (exitCode !== 0) process.exitCode = exitCode;
  }),
);
