import { join } from "node:path";
import { programFromPyPi } from "../../local-gke/python.ts";
import { sayOnStderr } from "../../local-gke/say.ts";
import type { Program } from "../../src/base/process.ts";

/** Returns ShellCheck, which its package on PyPI contains. */
export async function shellcheck(): Promise<Program> {
  return { name: "shellcheck", path: await installed("shellcheck") };
}

/** Returns the converter of Terraform's language to JSON. */
export async function terraformToJson(): Promise<Program> {
  return { name: "hcl2tojson", path: await installed("python"), leadingArgs: ["-m", "cli.hcl_to_json"] };
}

function installed(program: string): Promise<string> {
  const requirements = join(import.meta.dirname, "requirements.txt");
  const packages = { name: "linters", requirements, program, title: "ShellCheck and python-hcl2" };
  return programFromPyPi(packages, sayOnStderr);
}
