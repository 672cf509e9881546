import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Program, run } from "../src/base/process.ts";
import { keep } from "./cache.ts";
import { type Say, timed } from "./say.ts";

/** Packages from PyPI, and the program of their virtual environment that is wanted. */
export interface PythonPackages {
  /** Of the folder in the cache. */
  name: string;
  /** Path of the file that names the packages with their versions. */
  requirements: string;
  /** `python`, or a program that isn't a script: scripts name the folder that they were installed in. */
  program: string;
  /** What is installed, for the log. */
  title: string;
}

/**
 * Returns the path of a program from PyPI. The first call installs it in the cache.
 *
 * @param say logs the progress
 * @param signal ends the installation
 * @throws Error if Python or a package is not available
 */
export async function programFromPyPi(
  { name, requirements, program, title }: PythonPackages,
  say: Say,
  signal?: AbortSignal,
): Promise<string> {
  const version = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 12);
  return keep(`${name}-${version}`, join("bin", program), (folder) =>
    timed(`${title}: installing from PyPI`, say, () => install(folder, requirements, signal)),
  );
}

async function install(
  directory: string,
  requirements: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await succeed({ name: "python3", path: "python3" }, ["-m", "venv", directory], signal);
  const pip = { name: "pip", path: join(directory, "bin", "python"), leadingArgs: ["-m", "pip"] };
  const quietly = ["--quiet", "--disable-pip-version-check", "--no-input"];
  await succeed(pip, ["install", ...quietly, "--requirement", requirements], signal);
}

async function succeed(program: Program, args: string[], signal: AbortSignal | undefined): Promise<void> {
  const { exitCode, stdout, stderr } = await run(program, args, { signal });
  signal?.throwIfAborted();
  if (exitCode === 0) return;
  throw new Error(
    `${program.name} ${args.join(" ")} ended with exit code ${exitCode}: ` +
      `${(stderr || stdout).trim()}\nWhat to do: install Python 3.10 or later with its venv module ` +
      "(Debian: apt-get install python3-venv), and make PyPI or a mirror of it reachable.",
  );
}
