// Lets runs meet faults on a local GKE, one in each namespace, and writes docs/reliability.md.
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { formatDuration } from "../src/base/duration.ts";
import { messageOf } from "../src/base/errors.ts";
import { titleOf } from "./faults/cell.ts";
import { CELLS } from "./faults/cells.ts";
import { describeDetection, detectionIn, HEAD, reliabilityPage, rowOf } from "./faults/page.ts";
import type { Outcome } from "./faults/run-cell.ts";
import { runCells } from "./faults/run-cells.ts";
import { PROJECT } from "./run-action.ts";
import { sayOnStderr } from "./say.ts";
import { table } from "./table.ts";

const USAGE = `Usage: npm run faults [-- --only TEXT] [--logs FOLDER]

  --only TEXT     runs only faults whose name or moment contains TEXT, which may be a regular expression,
                  and does not write docs/reliability.md
  --logs FOLDER   writes the logs of runs that end wrong to FOLDER`;

try {
  const { only, logs } = parseArgs({
    options: { only: { type: "string" }, logs: { type: "string" } },
  }).values;
  const chosen = new RegExp(only ?? "");
  const cells = CELLS.filter((cell) => chosen.test(titleOf(cell)));
  const begun = performance.now();
  const outcomes = await runCells(cells, sayOnStderr);
  process.stdout.write(`${table([HEAD, ...outcomes.map((each) => rowOf(each))], { numbers: false })}\n\n`);
  process.stdout.write(`${describeDetection(detectionIn(outcomes))}\n`);
  process.stdout.write(`${describeTime(outcomes, performance.now() - begun)}\n`);
  if (only === undefined) await writeFile(join(PROJECT, "docs/reliability.md"), reliabilityPage(outcomes));
  if (logs !== undefined) await writeLogs(resolve(logs), outcomes);
  const wrong = outcomes.filter((outcome) => outcome.wrong.length > 0);
  if (wrong.length > 0) throw new Error(`wrong: ${wrong.map(nameOf).join("; ")}`);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n${error instanceof TypeError ? `${USAGE}\n` : ""}`);
  process.exitCode = 1;
}

function nameOf({ cell, helm }: Outcome): string {
  return `${titleOf(cell)}, ${helm}`;
}

/** Says where the time went. */
function describeTime(outcomes: readonly Outcome[], total: number): string {
  const sum = (key: keyof Outcome["spent"]) =>
    formatDuration(outcomes.reduce((all, { spent }) => all + spent[key], 0));
  const longest = outcomes.toSorted((a, b) => timeOf(b) - timeOf(a)).slice(0, 5);
  return [
    `${outcomes.length} rows in ${formatDuration(total)}. Side by side they took ${sum("install")} for releases, ${sum("run")} for the runs and ${sum("nextRun")} for the next ones.`,
    ...longest.map((outcome) => `${formatDuration(timeOf(outcome))}: ${nameOf(outcome)}`),
  ].join("\n");
}

function timeOf({ spent }: Outcome): number {
  return spent.install + spent.run + spent.nextRun;
}

async function writeLogs(folder: string, outcomes: readonly Outcome[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const outcome of outcomes) {
    if (outcome.wrong.length === 0) continue;
    const file = join(folder, `${nameOf(outcome).replaceAll(/[^\w]+/g, "-")}.log`);
    await writeFile(file, `${outcome.wrong.join("\n")}\n\n${outcome.log.join("\n")}\n`);
  }
}
