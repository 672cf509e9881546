import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Program, run } from "../../src/base/process.ts";
import { keep } from "../cache.ts";
import { type Say, sayOnStderr, timed } from "../say.ts";

const requirements = join(import.meta.dirname, "requirements.txt");

/**
 * Returns the path of a Python with milvus-lite and PyMilvus in the versions of requirements.txt. The first
 * call installs it in the cache, which takes about half a minute.
 *
 * @param say logs the progress
 * @param signal ends the installation
 * @throws Error if Python or a package is not available
 */
export async function milvusPython(say: Say = sayOnStderr, signal?: AbortSignal): Promise<string> {
  const version = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 12);
  // A renamed virtual environment works through its python, but its scripts do not.
  return keep(`python-${version}`, join("bin", "python"), (folder) =>
    timed("milvus-lite and PyMilvus: installing from PyPI (about 30 s, once)", say, () =>
      install(folder, signal),
    ),
  );
}

async function install(directory: string, signal: AbortSignal | undefined): Promise<void> {
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
    `${program.name} ${args.join(" ")} ended with exit code ${exitCode}, so Milvus can't start: ` +
      `${(stderr || stdout).trim()}\nWhat to do: install Python 3.10 or later with its venv module ` +
      "(Debian: apt-get install python3-venv), and make PyPI or a mirror of it reachable.",
  );
}
