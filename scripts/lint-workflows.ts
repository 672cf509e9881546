// Checks the workflows and the examples: actionlint for mistakes, also against action.yml in their `uses: ./`
// steps, and zizmor for what an attacker could use. ShellCheck reads what they run, and the scripts.
import { globSync } from "node:fs";
import { join } from "node:path";
import { binary } from "../local-gke/binaries/binaries.ts";
import { programFromPyPi } from "../local-gke/python.ts";
import { sayOnStderr } from "../local-gke/say.ts";
import { type Program, run } from "../src/base/process.ts";
import { shellcheck } from "./linters/linters.ts";

const workflows = globSync(".github/workflows/*.{yml,yaml}");
const examples = globSync("examples/*.{yml,yaml}");
const scripts = globSync("{.ci/run,{.github,setup}/*.sh}");
if (workflows.length === 0 || scripts.length === 0)
  throw new Error("there are no workflows or scripts here: run this in the project");

const settings = join(import.meta.dirname, "zizmor");
const actionlint = { name: "actionlint", path: await binary("actionlint") };
const packages = {
  name: "zizmor",
  requirements: join(settings, "requirements.txt"),
  program: "zizmor",
  title: "zizmor",
};
const zizmor = { name: "zizmor", path: await programFromPyPi(packages, sayOnStderr) };

const shell = await shellcheck();

// The same findings everywhere: pyflakes is used where it happens to be installed,
// and nothing is asked of GitHub.
await check(actionlint, [`-shellcheck=${shell.path}`, "-pyflakes=", ...workflows, ...examples]);
await check(shell, scripts);
const quietly = ["--offline", "--no-progress", "--quiet"];
await check(zizmor, [...quietly, ...workflows, "action.yml"]);
await check(zizmor, [...quietly, "--config", join(settings, "examples.yml"), ...examples]);

async function check(program: Program, args: string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await run(program, args);
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  if (exitCode !== 0) process.exitCode = exitCode;
}
