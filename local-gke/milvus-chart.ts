import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Program, stream } from "../src/process.ts";
import { cache, reachable, type Say, sayOnStderr } from "./binaries/binaries.ts";

const REPOSITORY = "https://zilliztech.github.io/milvus-helm";
/** The version whose values, names and labels our own chart has too. */
const VERSION = "5.0.19";
const PULL_LIMIT_MS = 60_000;

/** A small chart with the same values, names, labels and ports, for machines that can't reach Milvus's repository. */
export const OWN_CHART = join(import.meta.dirname, "chart/milvus");

/**
 * Returns the path of Milvus's chart: the real one, from the cache or its repository, else our own.
 *
 * @param helm path of the executable
 */
export async function milvusChart(helm: string, say: Say = sayOnStderr): Promise<string> {
  const home = join(cache(), `milvus-chart-${VERSION}`);
  const path = join(home, `milvus-${VERSION}.tgz`);
  if (await stat(path).catch(() => undefined)) return path;
  if (!(await reachable(new URL(REPOSITORY).origin))) return OWN_CHART;

  say(`Milvus's chart ${VERSION}: downloading it from ${REPOSITORY}`);
  await mkdir(cache(), { recursive: true });
  const aside = await mkdtemp(join(cache(), "milvus-chart-"));
  try {
    const program: Program = { name: "helm", path: helm };
    const args = ["pull", "milvus", "--repo", REPOSITORY, "--version", VERSION, "--destination", aside];
    const { exitCode, stderr } = await stream(program, args, { signal: AbortSignal.timeout(PULL_LIMIT_MS) });
    if (exitCode !== 0) {
      say(`Milvus's chart can't be had, local-gke's own takes its place: ${stderr.trim()}`);
      return OWN_CHART;
    }
    // Another process may have been quicker: its copy is as good.
    await rename(aside, home).catch(() => rm(aside, { recursive: true, force: true }));
    return path;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}
