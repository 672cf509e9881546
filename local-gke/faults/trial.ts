import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { CancelledError, messageOf } from "../../src/base/errors.ts";
import { setTime } from "../bench/lab.ts";
import type { LocalGke } from "../cluster.ts";
import { killProcessesOf } from "../control-plane/processes.ts";
import type { Say } from "../say.ts";
import { DISTURBANCES, type Disturbance, type Expectation, lineOf, untilMoment } from "./disturbances.ts";
import { type Bench, type FaultRun, type HelmName, openBench } from "./lab.ts";

/** What became of a run that met a disturbance. */
export interface Trial {
  disturbance: Disturbance;
  helm: HelmName;
  /** In a few words. */
  seen: string;
  /** From the fault to the end of the run. Undefined if the fault was not made. */
  milliseconds: number | undefined;
  /** What is wrong, empty if nothing is. */
  wrong: string[];
  /** The logs of both runs. */
  log: string[];
}

/** A run that still goes on then has hung. */
const LIMIT_MS = 240_000;

/** Long enough for a fault while the address is awaited. */
const ADDRESS_DELAY_MS = 4000;
/** Runs at a time: more only wait for a processor. */
const SIDE_BY_SIDE = 4;

/**
 * Lets a run meet each disturbance, with each Helm that matters, and returns what became of them.
 *
 * @param only undefined for all, else a part of their names and moments
 */
export async function runDisturbances(gke: LocalGke, only: string | undefined, say: Say): Promise<Trial[]> {
  const work = DISTURBANCES.filter(({ fault, moment }) => `${fault}, ${moment}`.includes(only ?? "")).flatMap(
    (disturbance) => disturbance.helms.map((helm) => ({ disturbance, helm })),
  );
  const values = await valuesWithoutFault(gke);
  await setTime({ gke }, "addressDelayMs", ADDRESS_DELAY_MS);
  const trials: Trial[] = [];
  const left = work.entries();
  let done = 0;
  // The workers share one iterator: each takes the next.
  const worker = async () => {
    for (const [index, { disturbance, helm }] of left) {
      const trial = await disturb(gke, disturbance, helm, `cell-${index}-${helm}`, values);
      trials[index] = trial;
      done += 1;
      const state = trial.wrong.length === 0 ? "right" : `WRONG: ${trial.wrong.join("; ")}`;
      say(`${done}/${work.length} ${disturbance.fault}, ${disturbance.moment}, ${helm}: ${state}`);
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  return trials;
}

async function valuesWithoutFault(gke: LocalGke): Promise<unknown> {
  const bench = await openBench(gke, "no-fault", "helm4", "kubeconfig");
  try {
    const { exitCode, log } = await bench.act();
    if (exitCode !== 0) throw new Error(`the action fails without a fault:\n${log.join("\n")}`);
    return (await bench.release()).values;
  } finally {
    await bench.close();
  }
}

/**
 * Runs the action into a fault, and once more without it.
 *
 * @param values the release's values after a run without a fault
 */
async function disturb(
  gke: LocalGke,
  disturbance: Disturbance,
  helm: HelmName,
  namespace: string,
  values: unknown,
): Promise<Trial> {
  const impossible = disturbance.isImpossible?.();
  if (impossible !== undefined) {
    return { disturbance, helm, seen: `skipped: ${impossible}`, milliseconds: undefined, wrong: [], log: [] };
  }
  const bench = await openBench(gke, namespace, helm, disturbance.through);
  try {
    const { run, milliseconds, hung, missed } = await runIntoFault(bench, disturbance);
    const left = await bench.release();
    const next = await bench.act();
    const after = await bench.release();
    const wrong = [
      ...(hung ? [`the run did not end within ${LIMIT_MS / 1000} s`] : []),
      ...(missed === undefined ? [] : [missed]),
      ...faultsOf(run, disturbance.expected),
      ...(left.status.startsWith("pending") ? [`it left the release ${left.status}`] : []),
      ...(next.exitCode === 0 ? [] : [`the next run failed: ${next.errors.join("; ")}`]),
      ...(after.status === "deployed" ? [] : [`the next run left the release ${after.status}`]),
      ...(isDeepStrictEqual(after.values, values) ? [] : ["the release's values differ after the next run"]),
    ];
    return { disturbance, helm, seen: seenOf(run), milliseconds, wrong, log: [...run.log, ...next.log] };
  } catch (error) {
    return { disturbance, helm, seen: "", milliseconds: undefined, wrong: [messageOf(error)], log: [] };
  } finally {
    await bench.close();
    await killProcessesOf(bench.directory);
  }
}

interface Disturbed {
  run: FaultRun;
  milliseconds: number | undefined;
  hung: boolean;
  /** Why the fault was not made. */
  missed: string | undefined;
}

async function runIntoFault(bench: Bench, disturbance: Disturbance): Promise<Disturbed> {
  const cancelled = new AbortController();
  const cancel = () => cancelled.abort(new CancelledError("SIGTERM"));
  const options = await disturbance.prepare?.(bench);
  const line = lineOf(disturbance.moment);
  let struck: number | undefined;
  let striking: Promise<string | undefined> = Promise.resolve("the run ended before the fault");
  const onLine = (text: string) => {
    if (struck !== undefined || !line.test(text)) return;
    struck = performance.now();
    const strike = async () => {
      await untilMoment(disturbance.moment, bench);
      struck = performance.now();
      await disturbance.strike(bench, cancel);
    };
    striking = strike().then(
      () => undefined,
      (error: unknown) => `the fault was not made: ${messageOf(error)}`,
    );
  };
  // A fault at the start is there before the first request.
  if (disturbance.moment === "start") onLine("");
  const ended = bench.act({ ...options, onLine, signal: cancelled.signal });
  const watchdog = new AbortController();
  const hung = delay(LIMIT_MS, true, { signal: watchdog.signal }).catch(() => false);
  const isHung = await Promise.race([ended.then(() => false), hung]);
  watchdog.abort();
  if (isHung) await killProcessesOf(bench.directory);
  const run = await ended;
  const milliseconds = struck === undefined ? undefined : performance.now() - struck;
  const missed = await striking;
  await disturbance.mend?.(bench);
  return { run, milliseconds, hung: isHung, missed };
}

/** Returns what is wrong with how a run ended. */
export function faultsOf({ exitCode, errors, log }: FaultRun, { success, error }: Expectation): string[] {
  const stack = log.find((line) => /^\s+at .+:\d+:\d+\)?$/.test(line));
  const trace = stack === undefined ? [] : [`it printed a stack trace: ${stack.trim()}`];
  if (exitCode === 0 && errors.length === 0) return success ? trace : ["it succeeded", ...trace];
  if (!error) return [`it failed: ${errors.join("; ")}`, ...trace];
  if (exitCode === 0) return ["it printed an error and succeeded", ...trace];
  if (errors.length !== 1) return [`it printed ${errors.length} errors: ${errors.join("; ")}`, ...trace];
  return error.test(errors[0] ?? "") ? trace : [`it printed another error: ${errors[0]}`, ...trace];
}

function seenOf({ exitCode, errors }: FaultRun): string {
  if (exitCode === 0) return "success";
  const [first = `exit code ${exitCode}, no error`] = errors;
  return first.split("\n")[0] ?? first;
}
