import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Program, stream } from "../../src/base/process.ts";
import { keep, type Say, sayOnStderr, timed } from "../cache.ts";

const requirements = join(import.meta.dirname, "requirements.txt");

/**
 * Returns the path of a Python that has milvus-lite and PyMilvus, in the versions of requirements.txt. It is
 * made once, which takes about half a minute, and cached below `$XDG_CACHE_HOME/milvus-gke-local-gke`.
 *
 * @param say is handed a line when something slow begins, lasts and ends
 * @throws Error when Python or one of the packages can't be had
 */
export async function milvusPython(say: Say = sayOnStderr): Promise<string> {
  const version = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 12);
  // A virtual environment bears being renamed as long as it is used by its python, not by its scripts.
  return keep(`python-${version}`, join("bin", "python"), (folder) =>
    timed("milvus-lite and PyMilvus: installing from PyPI (about 30 s, once)", say, () => install(folder)),
  );
}

async function install(directory: string): Promise<void> {
  await succeed({ name: "python3", path: "python3" }, ["-m", "venv", directory]);
  const pip = { name: "pip", path: join(directory, "bin", "python"), leadingArgs: ["-m", "pip"] };
  const quietly = ["--quiet", "--disable-pip-version-check", "--no-input"];
  await succeed(pip, ["install", ...quietly, "--requirement", requirements]);
}

async function succeed(program: Program, args: string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await stream(program, args, {});
  if (exitCode === 0) return;
  throw new Error(
    `${program.name} ${args.join(" ")} ended with ${exitCode}, so there is no Milvus to serve: ` +
      `${(stderr || stdout).trim()}\nWhat to do: have Python 3.10 or later with its venv module ` +
      "(Debian: apt-get install python3-venv) and PyPI or a mirror of it within reach.",
  );
}
