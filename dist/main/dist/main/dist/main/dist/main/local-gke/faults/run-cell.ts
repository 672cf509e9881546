import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { CancelledError, messageOf } from "../../src/base/errors.ts";
import type { LocalGke } from "../cluster.ts";
import { killProcessesOf } from "../control-plane/processes.ts";
import { type Bench, type FaultRun, type HelmName, openBench } from "./bench.ts";
import { type Cell, holdAt, lineOf, untilMoment } from "./cell.ts";
import type { Witness } from "./witness.ts";

/** What happened in a cell. */
export interface Outcome {
  cell: Cell;
  helm: HelmName;
  /** How the run ended, as {@link Cell.expected}. */
  seen: string;
  /** How the next run ended, without the fault. */
  next: string;
  /** Milliseconds from the fault to the end of the run. Undefined if the fault was not made. */
  verdict: number | undefined;
  /** Milliseconds from the event that shows a lasting fault to the run's error. */
  detection: number | undefined;
  /** What is wrong, empty if nothing is. */
  wrong: string[];
  /** The logs of both runs. */
  log: string[];
  /** Where the time went, in milliseconds. */
  spent: Record<"install" | "run" | "nextRun", number>;
}

/** What every cell has. */
export interface Surroundings {
  gke: LocalGke;
  witness: Witness;
  /** The release's values after a run without a fault. */
  values: unknown;
}

/** A run that still goes on then has hung. */
const LIMIT_MS = 240_000;

/** Runs the action into a fault, and once more without it. */
export async function runCell(
  { gke, witness, values }: Surroundings,
  cell: Cell,
  helm: HelmName,
  namespace: string,
): Promise<Outcome> {
  const nothing = {
    cell,
    helm,
    next: "",
    verdict: undefined,
    detection: undefined,
    wrong: [],
    log: [],
    spent: { install: 0, run: 0, nextRun: 0 },
  };
  const impossible = cell.isImpossible?.();
  if (impossible !== undefined) return { ...nothing, seen: `skipped: ${impossible}` };
  const begun = performance.now();
  const bench = await openBench(gke, namespace, helm, cell);
  try {
    const installed = performance.now();
    const { run, struck, ended, isHung, missed } = await runIntoFault(bench, cell);
    const left = await bench.release();
    const seen = endOf(run);
    const nextBegun = performance.now();
    const nextRun = await bench.act();
    const nextEnded = performance.now();
    const after = await bench.release();
    const shown = cell.shownBy && struck && witness.first(namespace, cell.shownBy, struck);
    const detection = shown && run.failed && run.failed - shown;
    const wrong = [
      ...(isHung ? [`the run did not end within ${LIMIT_MS / 1000} s`] : []),
      ...(missed === undefined ? [] : [missed]),
      ...problemsOf(run, cell.expected),
      ...(cell.shownBy && detection === undefined
        ? ["no event showed the fault before the run's error"]
        : []),
      // A run that was killed can't settle its release.
      ...(left.status.startsWith("pending") && seen !== "killed"
        ? [`it left the release ${left.status}`]
        : []),
      ...(nextRun.exitCode === 0 ? [] : [`the next run failed: ${nextRun.errors.join("; ")}`]),
      ...(after.status === "deployed" ? [] : [`the next run left the release ${after.status}`]),
      ...(isDeepStrictEqual(after.values, values) ? [] : ["the release's values differ after the next run"]),
    ];
    return {
      cell,
      helm,
      seen,
      next: endOf(nextRun),
      verdict: struck && ended - struck,
      detection,
      wrong,
      log: [...run.log, "--- the next run", ...nextRun.log],
      spent: { install: installed - begun, run: ended - installed, nextRun: nextEnded - nextBegun },
    };
  } catch (error) {
    return { ...nothing, seen: "", wrong: [messageOf(error)] };
  } finally {
    await bench.close();
    await killProcessesOf(bench.directory);
  }
}

interface Disturbed {
  run: FaultRun;
  /** When the fault was made, by performance.now(). */
  struck: number | undefined;
  ended: number;
  isHung: boolean;
  /** Why the fault was not made. */
  missed: string | undefined;
}

async function runIntoFault(bench: Bench, cell: Cell): Promise<Disturbed> {
  const cancelled = new AbortController();
  const cancel = () => cancelled.abort(new CancelledError("SIGTERM"));
  const options = await cell.prepare?.(bench);
  const hold = await holdAt(cell.moment, bench);
  const line = lineOf(cell.moment);
  let struck: number | undefined;
  let striking: Promise<string | undefined> = Promise.resolve("the run ended before the fault");
  const onLine = (text: string) => {
    if (struck !== undefined || !line.test(text)) return;
    struck = performance.now();
    const strike = async () => {
      await untilMoment(cell.moment, bench);
      struck = performance.now();
      await cell.strike(bench, cancel);
      await hold?.release();
    };
    striking = strike().then(
      () => undefined,
      (error: unknown) => `the fault was not made: ${messageOf(error)}`,
    );
  };
  // A fault at the start is there before the first request.
  if (cell.moment === "start") {
    onLine("");
    if (cell.isShared) await striking;
  }
  const inputs = { ...options?.inputs, ...hold?.inputs };
  const act = bench.act({ ...options, inputs, onLine, signal: cancelled.signal });
  const watchdog = new AbortController();
  const hung = delay(LIMIT_MS, true, { signal: watchdog.signal }).catch(() => false);
  const isHung = await Promise.race([act.then(() => false), hung]);
  watchdog.abort();
  if (isHung) await killProcessesOf(bench.directory);
  const run = await act;
  const ended = performance.now();
  const missed = await striking;
  // A run that ended before the fault has let nobody go on.
  if (struck === undefined) await hold?.release();
  await cell.mend?.(bench);
  return { run, struck, ended, isHung, missed };
}

/** Says how a run ended, as {@link Cell.expected} does. */
export function endOf({ exitCode, errors }: FaultRun): string {
  if (exitCode === 0 && errors.length === 0) return "success";
  const [error, ...others] = errors;
  if (error === undefined) return "killed";
  if (exitCode === 0) return "an error, and success";
  if (others.length > 0) return `${errors.length} errors`;
  if (/^The job was cancelled \(SIGTERM\)\. It was in step: /.test(error)) return "cancelled";
  return /\nMore: \S+#([a-z0-9-]+)$/.exec(error)?.[1] ?? "an error without a row";
}

/** Returns what is wrong with how a run ended. */
export function problemsOf(run: FaultRun, expected: Cell["expected"]): string[] {
  const stack = run.log.find((line) => /^\s+at .+:\d+:\d+\)?$/.test(line));
  return [
    ...(expected.includes(endOf(run)) ? [] : [`it ended with ${[endOf(run), ...run.errors].join(": ")}`]),
    ...(stack === undefined ? [] : [`it printed a stack trace: ${stack.trim()}`]),
  ];
}
