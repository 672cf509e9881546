import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Program, stream } from "../../src/process.ts";

const requirements = join(import.meta.dirname, "requirements.txt");

/**
 * Returns the path of a Python that has milvus-lite and PyMilvus, in the versions of requirements.txt. It is
 * made once, which takes about half a minute, and cached below `$XDG_CACHE_HOME/milvus-gke-local-gke`.
 *
 * @param progress is handed a line when something slow begins, lasts and ends
 * @throws Error when Python or one of the packages can't be had
 */
export async function milvusPython(progress: (line: string) => void = console.error): Promise<string> {
  const caches = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "milvus-gke-local-gke");
  const version = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 12);
  const environment = join(caches, `python-${version}`);
  const python = join(environment, "bin", "python");
  if (await exists(python)) return python;

  await mkdir(caches, { recursive: true });
  // Made aside and renamed: another process never sees a half of it. A virtual environment bears being renamed
  // as long as it is used by its python, not by its scripts.
  const aside = await mkdtemp(join(caches, "python-"));
  try {
    await install(aside, progress);
    await rename(aside, environment);
  } catch (error) {
    // Another process was faster, and its environment is as good as ours.
    if (!(await exists(python))) throw error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return python;
}

async function install(directory: string, progress: (line: string) => void): Promise<void> {
  const started = performance.now();
  const seconds = () => `${Math.round((performance.now() - started) / 1000)} s`;
  progress("milvus-lite and PyMilvus: installing from PyPI (about 30 s, once)");
  const ticks = setInterval(
    () => progress(`milvus-lite and PyMilvus: still installing, ${seconds()}`),
    15_000,
  );
  try {
    await succeed({ name: "python3", path: "python3" }, ["-m", "venv", directory]);
    const pip = { name: "pip", path: join(directory, "bin", "python"), leadingArgs: ["-m", "pip"] };
    const quietly = ["--quiet", "--disable-pip-version-check", "--no-input"];
    await succeed(pip, ["install", ...quietly, "--requirement", requirements]);
  } finally {
    clearInterval(ticks);
  }
  progress(`milvus-lite and PyMilvus: installed in ${seconds()}`);
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

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
