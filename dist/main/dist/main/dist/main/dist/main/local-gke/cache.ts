import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

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

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
