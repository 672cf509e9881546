// Checks the workflows and the examples with actionlint, their `uses: ./` steps against action.yml included.
import { globSync } from "node:fs";
import { binary } from "../local-gke/binaries/binaries.ts";
import { run } from "../src/base/process.ts";

const workflows = globSync("{.github/workflows,examples}/*.{yml,yaml}");
if (workflows.length === 0)
  throw new Error("there are no workflows in .github/workflows: run this in the project");

const actionlint = { name: "actionlint", path: await binary("actionlint") };
// The same findings everywhere: shellcheck and pyflakes are used where they happen to be installed.
const { exitCode, stdout, stderr } = await run(actionlint, ["-shellcheck=", "-pyflakes=", ...workflows]);
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = exitCode;
