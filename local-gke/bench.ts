import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { messageOf } from "../src/base/errors.ts";
import { addressLatency } from "./bench/address.ts";
import { type Figure, median, rowOf } from "./bench/figure.ts";
import { type Lab, openLab } from "./bench/lab.ts";
import { overhead } from "./bench/overhead.ts";
import { start } from "./bench/start.ts";
import { binary } from "./binaries/binaries.ts";
import { sayOnStderr } from "./cache.ts";
import { up } from "./cluster.ts";
import { installRelease } from "./release.ts";
import { table } from "./table.ts";

const USAGE = `Usage: npm run bench [-- --json FILE]   measures on a local GKE and prints a table

  --json FILE   writes the figures to FILE, too; "-" prints them instead of the table`;

const STARTS = 3;
const PARTS: [what: string, measure: (lab: Lab) => Promise<Figure[]>][] = [
  ["how the action starts", start],
  ["the action's overhead", overhead],
  // Last: it leaves the ingress controller waiting.
  ["how soon the action knows the address", addressLatency],
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
  sayOnStderr("measuring how long a local GKE takes to be ready");
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
  // The first start fills the caches and is not counted.
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
    { name: "local GKE up, Milvus release included", unit: "s", values: releases },
  ];
}

/** Settles as the work does, or rejects as soon as the benchmark is interrupted; the local GKE then goes. */
function orInterrupted<T>(work: Promise<T>): Promise<T> {
  const { signal } = interrupted;
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  work.catch(() => {});
  return Promise.race([work, aborted]);
}
