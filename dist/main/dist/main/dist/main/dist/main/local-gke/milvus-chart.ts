import { join } from "node:path";
import { messageOf } from "../src/base/errors.ts";
import { type Program, run } from "../src/base/process.ts";
import { reachable } from "./binaries/download.ts";
import { cache, exists, keep } from "./cache.ts";
import { type Say, sayOnStderr, timed } from "./say.ts";

const REPOSITORY = "https://zilliztech.github.io/milvus-helm";
/** Our own chart has the values, names and labels of this version. */
const VERSION = "5.0.19";
const PULL_LIMIT_MS = 60_000;

/**
 * A small chart with the same values, names, labels and ports, for machines without access to Milvus's
 * repository.
 */
export const OWN_CHART = join(import.meta.dirname, "chart/milvus");

/**
 * Returns the path of Milvus's chart from the cache or its repository. Falls back to our own chart.
 *
 * @param helm path of the executable
 */
export async function milvusChart(helm: string, say: Say = sayOnStderr): Promise<string> {
  const name = `milvus-chart-${VERSION}`;
  const archive = `milvus-${VERSION}.tgz`;
  const isKept = await exists(join(cache(), name, archive));
  if (!isKept && !(await reachable(new URL(REPOSITORY).origin))) return OWN_CHART;
  try {
    return await keep(name, archive, (folder) =>
      timed(`Milvus's chart ${VERSION}: downloading from ${REPOSITORY}`, say, () => pull(helm, folder)),
    );
  } catch (error) {
    say(`Using local-gke's own chart because Milvus's chart could not be downloaded: ${messageOf(error)}`);
    return OWN_CHART;
  }
}

async function pull(helm: string, folder: string): Promise<void> {
  const program: Program = { name: "helm", path: helm };
  const args = ["pull", "milvus", "--repo", REPOSITORY, "--version", VERSION, "--destination", folder];
  const { exitCode, stderr } = await run(program, args, { signal: AbortSignal.timeout(PULL_LIMIT_MS) });
  if (exitCode !== 0) throw new Error(stderr.trim());
}
