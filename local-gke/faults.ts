// Lets runs meet faults on a local GKE, one in each namespace, and writes docs/reliability.md.
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { formatDuration } from "../src/base/duration.ts";
import { messageOf } from "../src/base/errors.ts";
import { up } from "./cluster.ts";
import { runCells } from "./faults/matrix.ts";
import { isRight, reliabilityPage, TRIAL_HEAD, trialRows } from "./faults/page.ts";
import { runDisturbances, type Trial } from "./faults/trial.ts";
import { PROJECT } from "./run-action.ts";
import { sayOnStderr } from "./say.ts";
import { table } from "./table.ts";

const USAGE = `Usage: npm run faults [-- --only TEXT] [--logs FOLDER]

  --only TEXT     runs only faults of connections, programs and the runner whose name or moment contains TEXT,
                  and does not write docs/reliability.md
  --logs FOLDER   writes the logs of runs that end wrong to FOLDER`;

try {
  const { only, logs } = parseArgs({
    options: { only: { type: "string" }, logs: { type: "string" } },
  }).values;
  const gke = await up();
  const run = async () => ({
    outcomes: only === undefined ? await runCells(gke, sayOnStderr) : [],
    trials: await runDisturbances(gke, only, sayOnStderr),
  });
  const { outcomes, trials } = await run().finally(() => gke.down());
  const rows = outcomes.map(({ name, expected, seen, verdict, next }) => [
    name,
    expected,
    seen,
    formatDuration(verdict),
    next,
  ]);
  if (only === undefined) {
    process.stdout.write(`${table([["cell", "expected", "seen", "after", "next run"], ...rows])}\n\n`);
    await writeFile(join(PROJECT, "docs/reliability.md"), reliabilityPage(outcomes, trials));
  }
  process.stdout.write(`${table([TRIAL_HEAD, ...trialRows(trials)], { numbers: false })}\n`);
  if (logs !== undefined) await writeLogs(resolve(logs), trials);
  const wrong = [
    ...outcomes.filter((outcome) => !isRight(outcome)).map(({ name }) => name),
    ...trials.filter((trial) => trial.wrong.length > 0).map(titleOf),
  ];
  if (wrong.length > 0) throw new Error(`wrong: ${wrong.join("; ")}`);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n${error instanceof TypeError ? `${USAGE}\n` : ""}`);
  process.exitCode = 1;
}

function titleOf({ disturbance: { fault, moment }, helm }: Trial): string {
  return `${fault}, ${moment}, ${helm}`;
}

async function writeLogs(folder: string, trials: readonly Trial[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const trial of trials) {
    if (trial.wrong.length === 0) continue;
    const file = join(folder, `${titleOf(trial).replaceAll(/[^\w]+/g, "-")}.log`);
    await writeFile(file, `${trial.wrong.join("\n")}\n\n${trial.log.join("\n")}\n`);
  }
}
