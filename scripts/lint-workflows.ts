// Checks the workflows and the examples: actionlint for mistakes, also against action.yml in their `uses: ./` steps, and
// zizmor for what an attacker could use.
import { globSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../local-gke/binaries/binaries.ts";
import { programFromPyPi } from "../local-gke/python.ts";
import { sayOnStderr } from "../local-gke/say.ts";
import { type Program, run } from "../src/base/process.ts";

const workflows = globSync(".github/workflows/*.{yml,yaml}");
const examples = globSync("examples/*.{yml,yaml}");
if (workflows.length === 0)
  throw new Error("there are no workflows in .github/workflows: run this in the project");

const settings = join(import.meta.dirname, "zizmor");
const actionlint = { name: "actionlint", path: await binary("actionlint") };
const packages = {
  name: "zizmor",
  requirements: join(settings, "requirements.txt"),
  program: "zizmor",
  title: "zizmor",
};
const zizmor = { name: "zizmor", path: await programFromPyPi(packages, sayOnStderr) };

// The same findings everywhere: shellcheck and pyflakes are used where they happen to be installed, and nothing is asked
// of GitHub.
await check(actionlint, ["-shellcheck=", "-pyflakes=", ...workflows, ...examples]);
const quietly = ["--offline", "--no-progress", "--quiet"];
await check(zizmor, [...quietly, ...workflows, "action.yml"]);
await check(zizmor, [...quietly, "--config", join(settings, "examples.yml"), ...examples]);

async function check(program: Program, args: string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await run(program, args);
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  if (exitCode !== 0) process.exitCode = exitCode;
}
