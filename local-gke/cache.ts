import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Receives one line of progress at a time. */
export type Say = (line: string) => void;

/** Writes a line of progress to standard error. */
export const sayOnStderr: Say = (line) => process.stderr.write(`${line}\n`);

const SAY_EVERY_MS = 15_000;

/** Returns the folder in which everything is kept that takes long to get. */
export function cache(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "milvus-gke-local-gke");
}

/**
 * Returns the path of `member` in the folder `name` of the cache, and has the folder made when it isn't there. It is
 * made aside and renamed: another process never sees a half of it.
 *
 * @param make fills the folder that it is given
 * @throws what `make` throws
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
    // Another process was faster, and what it has made is as good as ours.
    if (!(await exists(path))) throw error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return path;
}

/** Runs a piece of work, saying when it starts, every 15 s while it lasts, and how long it took. */
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
