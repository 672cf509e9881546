import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT } from "../run-action.ts";
import type { Figure } from "./figure.ts";
import { groupsOf, type Lab, type LoggedRun, THROUGH_GOOGLE } from "./lab.ts";

const RUNS = 9;
const MEGABYTE = 1_000_000;

/** Measures the start of the action in mode plan, which makes no gRPC call and changes nothing. */
export async function start(lab: Lab): Promise<Figure[]> {
  return lab.withRelease(async (namespace) => {
    const inputs = { namespace, mode: "plan", ...THROUGH_GOOGLE };
    const runs: LoggedRun[] = [];
    for (let run = 0; run < RUNS; run++) runs.push(await lab.act(inputs));
    const withKubeconfig = { namespace, mode: "plan", kubeconfig: lab.gke.kubeconfig };
    return [
      {
        name: "start to first output line",
        unit: "ms",
        values: runs.map(({ started, log }) => (log[0]?.at ?? Number.NaN) - started),
        target: 100,
      },
      {
        name: "tools of the runner, cluster through Google",
        unit: "ms",
        values: runs.map(({ log }) => groupsOf(log).get("Tools and cluster") ?? Number.NaN),
      },
      {
        name: "modules loaded, cluster through Google",
        unit: "MB",
        values: [await megabytesLoaded(lab, inputs)],
        target: 1.25,
      },
      {
        name: "modules loaded, own kubeconfig",
        unit: "MB",
        values: [await megabytesLoaded(lab, withKubeconfig)],
        target: 1.05,
      },
    ];
  });
}

/** Measures the total size of the files that Node.js loads as modules. */
async function megabytesLoaded(lab: Lab, inputs: Record<string, string>): Promise<number> {
  const list = join(lab.gke.directory, "loaded-modules");
  await rm(list, { force: true });
  const hook = join(PROJECT, "local-gke/bench/loaded-modules.ts");
  const { exitCode } = await lab.act(inputs, {
    env: { LOADED_MODULES: list },
    nodeOptions: [`--import=${hook}`],
  });
  if (exitCode !== 0) throw new Error("the action failed");
  const files = new Set((await readFile(list, "utf8")).trim().split("\n"));
  const sizes = await Promise.all([...files].map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0) / MEGABYTE;
}
