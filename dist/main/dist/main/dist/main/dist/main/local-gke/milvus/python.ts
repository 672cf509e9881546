import { join } from "node:path";
import { programFromPyPi } from "../python.ts";
import { type Say, sayOnStderr } from "../say.ts";

/**
 * Returns the path of a Python with milvus-lite and PyMilvus in the versions of requirements.txt. The first
 * call installs it in the cache, which takes about half a minute.
 *
 * @param say logs the progress
 * @param signal ends the installation
 * @throws Error if Python or a package is not available
 */
export async function milvusPython(say: Say = sayOnStderr, signal?: AbortSignal): Promise<string> {
  const packages = {
    name: "python",
    requirements: join(import.meta.dirname, "requirements.txt"),
    program: "python",
    title: "milvus-lite and PyMilvus (about 30 s, once)",
  };
  return programFromPyPi(packages, say, signal);
}
