import { setTime } from "../bench/lab.ts";
import { type LocalGke, up } from "../cluster.ts";
import type { Say } from "../say.ts";
import { type HelmName, openBench } from "./bench.ts";
import { type Cell, titleOf } from "./cell.ts";
import { type Outcome, runCell } from "./run-cell.ts";
import { openWitness } from "./witness.ts";

/** Long enough for a fault while the address is awaited. */
const ADDRESS_DELAY_MS = 4000;
/** Runs at a time: a run waits half of its time. */
const SIDE_BY_SIDE = 5;

/** One row of the table. */
interface Row {
  cell: Cell;
  helm: HelmName;
  /** Its place in the table, and the name of its namespace. */
  index: number;
}

/**
 * Lets a run meet each fault, with each Helm that matters, and returns what became of them, in their order.
 * Faults that other runs would meet, too, have a local GKE of their own, beside the one for all others.
 */
export async function runCells(cells: readonly Cell[], say: Say): Promise<Outcome[]> {
  const rows = cells
    .flatMap((cell) => cell.helms.map((helm) => ({ cell, helm })))
    .map((row, index) => ({ ...row, index }));
  const outcomes: Outcome[] = [];
  let done = 0;
  const onEnd = (row: Row, outcome: Outcome) => {
    outcomes[row.index] = outcome;
    done += 1;
    const state = outcome.wrong.length === 0 ? outcome.seen : `WRONG: ${outcome.wrong.join("; ")}`;
    say(`${done}/${rows.length} ${titleOf(row.cell)}, ${row.helm}: ${state}`);
  };
  await Promise.all([
    runRows(
      rows.filter(({ cell }) => !cell.isShared),
      SIDE_BY_SIDE,
      onEnd,
    ),
    runRows(
      rows.filter(({ cell }) => cell.isShared),
      1,
      onEnd,
    ),
  ]);
  return outcomes;
}

/** Works on rows on a local GKE, some at a time. */
async function runRows(
  rows: readonly Row[],
  sideBySide: number,
  onEnd: (row: Row, outcome: Outcome) => void,
): Promise<void> {
  if (rows.length === 0) return;
  const gke = await up();
  const witness = openWitness(gke.kubeconfig);
  try {
    const values = await valuesWithoutFault(gke);
    await setTime({ gke }, "addressDelayMs", ADDRESS_DELAY_MS);
    const left = rows.values();
    // The workers share one iterator: each takes the next.
    const worker = async () => {
      for (const row of left) {
        const { cell, helm, index } = row;
        onEnd(row, await runCell({ gke, witness, values }, cell, helm, `cell-${index}-${helm}`));
      }
    };
    await Promise.all(Array.from({ length: sideBySide }, worker));
  } finally {
    witness.close();
    await gke.down();
  }
}

async function valuesWithoutFault(gke: LocalGke): Promise<unknown> {
  const bench = await openBench(gke, "no-fault", "helm4", { through: "kubeconfig" });
  try {
    const { exitCode, log } = await bench.act();
    if (exitCode !== 0) throw new Error(`the action fails without a fault:\n${log.join("\n")}`);
    return (await bench.release()).values;
  } finally {
    await bench.close();
  }
}
