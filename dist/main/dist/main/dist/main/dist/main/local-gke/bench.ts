import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { messageOf } from "../src/base/errors.ts";
import { addressLatency } from "./bench/address.ts";
import { type Figure, median, rowOf } from "./bench/figure.ts";
import { firstDeploy } from "./bench/first-deploy.ts";
import { type Lab, openLab } from "./bench/lab.ts";
import { overhead } from "./bench/overhead.ts";
import { start } from "./bench/start.ts";
import { switches } from "./bench/switch.ts";
import { unchanged } from "./bench/unchanged.ts";
import { binary } from "./binaries/binaries.ts";
import { up } from "./cluster.ts";
import { installRelease } from "./release.ts";
import { sayOnStderr } from "./say.ts";
import { table } from "./table.ts";

const USAGE = `Usage: npm run bench [-- --json FILE]   runs benchmarks on a local GKE and prints a table

  --json FILE   also writes the results to FILE; "-" prints them instead of the table`;

const STARTS = 3;
const PARTS: [what: string, measure: (lab: Lab) => Promise<Figure[]>][] = [
  ["the start of the action", start],
  ["the overhead of the action", overhead],
  ["a run with nothing to change", unchanged],
  ["a first deploy", firstDeploy],
  ["what clients see of the switch", switches],
  // Runs last because it delays the addresses of all later Ingresses.
  ["the latency of the address", addressLatency],
];

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interrupted.abort(new Error(`Interrupted (${signal}).`)));
}

try {
  const { json } = parseArgs({ options: { json: { type: "string" } } }).values;
  const figures = await measureAll();
  const head = ["", "median", "range", "runs", "target"];
  if (json !== "-") process.stdout.write(`${table([head, ...figures.map(rowOf)])}\n`);
  const report = {
    machine: { processors: cpus().length, node: process.version },
    figures: figures.map((figure) => ({ ...figure, median: median(figure.values) })),
  };
  const text = `${JSON.stringify(report, undefined, 2)}\n`;
  if (json === "-") process.stdout.write(text);
  else if (json !== undefined) await writeFile(json, text);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  if (error instanceof TypeError && "code" in error) process.stderr.write(`${USAGE}\n`);
  process.exitCode = 1;
}

async function measureAll(): Promise<Figure[]> {
  const figures: Figure[] = [];
  sayOnStderr("measuring the start of a local GKE");
  figures.push(...(await ready()));
  const gke = await up({ signal: interrupted.signal });
  try {
    const lab = await openLab(gke);
    for (const [what, measure] of PARTS) {
      sayOnStderr(`measuring ${what}`);
      figures.push(...(await orInterrupted(measure(lab))));
    }
  } finally {
    await gke.down();
  }
  return figures;
}

async function ready(): Promise<Figure[]> {
  const { signal } = interrupted;
  const helm = await binary("helm4", { signal });
  const clusters: number[] = [];
  const releases: number[] = [];
  // The first start fills the caches, so it does not count.
  for (let run = 0; run <= STARTS; run++) {
    const started = performance.now();
    const gke = await up({ signal });
    try {
      const cluster = performance.now() - started;
      await installRelease({ kubeconfig: gke.kubeconfig, helm, signal });
      if (run === 0) continue;
      clusters.push(cluster / 1000);
      releases.push((performance.now() - started) / 1000);
    } finally {
      await gke.down();
    }
  }
  return [
    { name: "local GKE up", unit: "s", values: clusters, target: 8 },
    { name: "local GKE and Milvus release up", unit: "s", values: releases },
  ];
}

/** Settles with `work`, or rejects on interruption, so that the local GKE is removed. */
function orInterrupted<T>(work: Promise<T>): Promise<T> {
  const { signal } = interrupted;
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  work.catch(() => {});
  return Promise.race([work, aborted]);
}
