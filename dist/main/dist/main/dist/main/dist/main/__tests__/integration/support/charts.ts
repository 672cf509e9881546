import { cp, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { CHART, type TestCluster } from "./cluster.ts";

/** Returns the path of a copy of the chart, with one piece of one file replaced. */
export async function chartWith(
  { gke }: Pick<TestCluster, "gke">,
  file: string,
  piece: string | RegExp,
  replacement: string,
): Promise<string> {
  const chart = await mkdtemp(join(gke.directory, "chart-"));
  await cp(CHART, chart, { recursive: true });
  const path = join(chart, file);
  const before = await readFile(path, "utf8");
  const after = before.replace(piece, replacement);
  expect(after, `${file} has ${piece}`).not.toBe(before);
  await writeFile(path, after);
  return chart;
}
