import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { HOST, RELEASE, succeed, THROUGH_GOOGLE } from "../bench/lab.ts";
import { binaries } from "../binaries/binaries.ts";
import type { LocalGke } from "../cluster.ts";
import { killProcessesOf, MARK } from "../control-plane/processes.ts";
import { DEFAULT_TIMING } from "../ingress/timing.ts";
import { OWN_CHART } from "../milvus-chart.ts";
import { installRelease } from "../release.ts";
import { runAction } from "../run-action.ts";
import type { Say } from "../say.ts";
import { type Cell, GOOGLE_CELLS, OWN_CELLS } from "./cells.ts";

/** What happened in a cell. */
export interface Outcome extends Cell {
  /** As {@link Cell.expected}. */
  seen: string;
  /** Milliseconds from the fault, or from the beginning of the run, to its end. */
  verdict: number;
  /** How the next run ended, without the fault. */
  next: string;
}

const HOUR_MS = 3_600_000;
/** Runs at a time: more only wait for a processor. */
const SIDE_BY_SIDE = 3;

/** Runs all cells and returns what happened. */
export async function runCells(gke: LocalGke, say: Say): Promise<Outcome[]> {
  const bench = new FaultBench(gke, await binaries(["helm4", "kubectl"]));
  await sideBySide([...OWN_CELLS, ...GOOGLE_CELLS], (cell) => bench.install(cell.name));
  await bench.control("PUT", "timing/addressDelayMs", HOUR_MS);
  const own = await sideBySide(OWN_CELLS, async (cell) => {
    const met = await bench.meet(cell);
    say(`${cell.name}: ${met.seen}`);
    return met;
  });
  await bench.control("PUT", "timing/addressDelayMs", DEFAULT_TIMING.addressDelayMs);
  const ended = await sideBySide(own, async (met) => ({
    ...met,
    next: await bench.act(met.name),
  }));
  for (const cell of GOOGLE_CELLS) {
    const met = await bench.meet(cell);
    const next = await bench.act(cell.name);
    say(`${cell.name}: ${met.seen}, then ${next}`);
    ended.push({ ...met, next });
  }
  return ended;
}

interface RunOptions {
  inputs?: Record<string, string>;
  /** Called with the folder that tells the run's processes from others. */
  onStart?: (directory: string) => void;
  onLine?: (line: string) => void;
  signal?: AbortSignal;
}

class FaultBench {
  readonly #gke: LocalGke;
  readonly #tools: Record<"helm4" | "kubectl", string>;

  constructor(gke: LocalGke, tools: Record<"helm4" | "kubectl", string>) {
    this.#gke = gke;
    this.#tools = tools;
  }

  async install(namespace: string): Promise<void> {
    const { kubeconfig } = this.#gke;
    await installRelease({ kubeconfig, helm: this.#tools.helm4, release: RELEASE, namespace });
  }

  async control(method: "PUT" | "DELETE", path: string, body?: unknown): Promise<void> {
    const url = `${this.#gke.control}/${path}`;
    const answer = await fetch(url, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
  }

  /** Lets a run meet a cell's fault, and ends the fault with it. */
  async meet(cell: Cell): Promise<Omit<Outcome, "next">> {
    const { name, trouble, moment, inputs = {} } = cell;
    const cancelled = new AbortController();
    let begun = performance.now();
    let beginning: Promise<void> | undefined;
    let directory = "";
    const begin = async () => {
      begun = performance.now();
      if (trouble.kind === "google") await this.control("PUT", `faults/${trouble.fault}`);
      if (trouble.kind === "kubectl") await this.#kubectl([...trouble.args, "--namespace", name]);
      if (trouble.kind === "cancel") cancelled.abort();
      if (trouble.kind === "kill") await killProcessesOf(directory);
    };
    if (!moment) await begin();
    const values = trouble.kind === "values" && trouble.values ? { values: trouble.values } : {};
    const seen = await this.act(name, {
      inputs: { ...inputs, ...values },
      onLine: (line) => {
        if (moment?.test(line)) beginning ??= begin();
      },
      onStart: (started) => {
        directory = started;
      },
      signal: cancelled.signal,
    });
    const verdict = performance.now() - begun;
    await beginning;
    if (trouble.kind === "google") await this.control("DELETE", `faults/${trouble.fault}`);
    return { ...cell, seen, verdict };
  }

  /** Runs the action to its end, and says how it ended. */
  async act(namespace: string, { inputs, onStart, onLine, signal }: RunOptions = {}): Promise<string> {
    const directory = await mkdtemp(join(this.#gke.directory, "job-"));
    onStart?.(directory);
    const errors: string[] = [];
    const { exitCode } = await runAction({
      inputs: {
        ...THROUGH_GOOGLE,
        host: HOST,
        release: RELEASE,
        namespace,
        chart: OWN_CHART,
        recover_pending: "1s",
        gcloud_version: "none",
        ...inputs,
      },
      env: { ...this.#gke.env, [MARK]: directory },
      tools: Object.values(this.#tools),
      directory,
      onLine: (line) => {
        if (line.startsWith("::error")) errors.push(line);
        onLine?.(line);
      },
      ...(signal && { signal }),
    });
    return endOf(exitCode, errors);
  }

  async #kubectl(args: string[]): Promise<void> {
    const env = { KUBECONFIG: this.#gke.kubeconfig };
    await succeed({ name: "kubectl", path: this.#tools.kubectl, env }, args);
  }
}

/** Says how a run ended: what one error is about, or that there was none, or several. */
function endOf(exitCode: number, errors: readonly string[]): string {
  if (exitCode === 0) return "success";
  const [error, ...others] = errors;
  if (error === undefined) return "killed";
  if (others.length > 0) return `${errors.length} errors`;
  if (error.includes("The job was cancelled")) return "cancelled";
  return /More: \S+#([a-z0-9-]+)$/.exec(error)?.[1] ?? "an error without a row";
}

/** Works on all items, some at a time. Returns the results in their order. */
async function sideBySide<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const worker = async () => {
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  return results;
}
