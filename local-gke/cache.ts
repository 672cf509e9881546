import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Logs one line of progress. */
export type Say = (line: string) => void;

export const sayOnStderr: Say = (line) => process.stderr.write(`${line}\n`);

const SAY_EVERY_MS = 15_000;

/** The directory of everything that is slow to download or build. */
export function cache(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "milvus-gke-local-gke");
}

/**
 * Returns the path of `member` in the folder `name` of the cache. Creates a missing folder under another name
 * first, so other processes never see it incomplete.
 *
 * @param make fills the folder
 * @throws the errors of `make`
 */
export async function keep(
  name: string,
  member: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const home = join(cache(), name);
  const path = join(home, member);
  if (await exists(path)) return path;

  await mkdir(cache(), { recursive: true });
  const aside = await mkdtemp(join(cache(), `${name}-`));
  try {
    await make(aside);
    await rename(aside, home);
  } catch (error) {
    // Another process may have created the folder first.
    if (!(await exists(path))) throw error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return path;
}

/** Runs `work`. Logs its start, its duration so far every 15 s, and its total duration. */
export async function timed(what: string, say: Say, work: () => Promise<void>): Promise<void> {
  const start = performance.now();
  const seconds = () => `${Math.round((performance.now() - start) / 1000)} s`;
  say(what);
  const ticker = setInterval(() => say(`${what} (${seconds()})`), SAY_EVERY_MS);
  try {
    await work();
  } finally {
    clearInterval(ticker);
  }
  say(`${what}: done in ${seconds()}`);
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
