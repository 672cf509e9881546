import { cp, mkdir, mkdtemp, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { listenOnFreePort } from "../../../local-gke/listen.ts";
import { CHART, type TestCluster } from "./cluster.ts";

/** A chart repository on loopback. */
export interface ChartRepository {
  url: string;
  close(): void;
}

/** Serves the chart in newer versions, and not in the one that tests install from its folder. */
export function serveNewerCharts(cluster: TestCluster): Promise<ChartRepository> {
  return serveCharts(cluster, ["6.0.0", "6.1.0", "7.0.0-rc.1"]);
}

/**
 * Serves the chart in some versions.
 *
 * @param hold what every answer waits for
 */
export async function serveCharts(
  cluster: TestCluster,
  versions: readonly string[],
  hold: () => Promise<void> = async () => {},
): Promise<ChartRepository> {
  const directory = await mkdtemp(join(cluster.gke.directory, "charts-"));
  const [folder, chart] = [join(directory, "repository"), join(directory, "milvus")];
  await mkdir(folder);
  await cp(CHART, chart, { recursive: true });
  for (const version of versions) {
    await cluster.helm("package", chart, "--version", version, "--destination", folder);
  }
  await cluster.helm("repo", "index", folder);
  const server = createServer(async (request, response) => {
    await hold();
    const content = await readFile(join(folder, request.url ?? "")).catch(() => undefined);
    response.writeHead(content ? 200 : 404).end(content);
  });
  const port = await listenOnFreePort(server);
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}
