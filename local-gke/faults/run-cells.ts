import { setTime } from "../bench/lab.ts";
import type { LocalGke } from "../cluster.ts";
import type { Say } from "../say.ts";
import { openBench } from "./bench.ts";
import { type Cell, titleOf } from "./cell.ts";
import { type Outcome, runCell } from "./run-cell.ts";
import { openWitness } from "./witness.ts";

/** Long enough for a fault while the address is awaited. */
const ADDRESS_DELAY_MS = 4000;
/** Runs at a time: a run waits half of its time. */
const SIDE_BY_SIDE = 6;

/** Lets a run meet each fault, with each Helm that matters, and returns what became of them, in their order. */
export async function runCells(gke: LocalGke, cells: readonly Cell[], say: Say): Promise<Outcome[]> {
  const work = cells.flatMap((cell) => cell.helms.map((helm) => ({ cell, helm })));
  const values = await valuesWithoutFault(gke);
  await setTime({ gke }, "addressDelayMs", ADDRESS_DELAY_MS);
  const witness = openWitness(gke.kubeconfig);
  const outcomes: Outcome[] = [];
  let done = 0;
  const runAll = async (isShared: boolean, sideBySide: number) => {
    const left = [...work.entries()].filter(([, { cell }]) => (cell.isShared ?? false) === isShared).values();
    // The workers share one iterator: each takes the next.
    const worker = async () => {
      for (const [index, { cell, helm }] of left) {
        const outcome = await runCell({ gke, witness, values }, cell, helm, `cell-${index}-${helm}`);
        outcomes[index] = outcome;
        done += 1;
        const state = outcome.wrong.length === 0 ? outcome.seen : `WRONG: ${outcome.wrong.join("; ")}`;
        say(`${done}/${work.length} ${titleOf(cell)}, ${helm}: ${state}`);
      }
    };
    await Promise.all(Array.from({ length: sideBySide }, worker));
  };
  try {
    await runAll(false, SIDE_BY_SIDE);
    await runAll(true, 1);
  } finally {
    witness.close();
  }
  return outcomes;
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
