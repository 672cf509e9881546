// Lets runs meet faults on a local GKE, one in each namespace, and writes docs/reliability.md.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatDuration } from "../src/base/duration.ts";
import { messageOf } from "../src/base/errors.ts";
import { up } from "./cluster.ts";
import { runCells } from "./faults/matrix.ts";
import { isRight, reliabilityPage } from "./faults/page.ts";
import { PROJECT } from "./run-action.ts";
import { sayOnStderr } from "./say.ts";
import { table } from "./table.ts";

try {
  const gke = await up();
  const outcomes = await runCells(gke, sayOnStderr).finally(() => gke.down());
  const rows = outcomes.map(({ name, expected, seen, verdict, next }) => [
    name,
    expected,
    seen,
    formatDuration(verdict),
    next,
  ]);
  process.stdout.write(`${table([["cell", "expected", "seen", "after", "next run"], ...rows])}\n`);
  await writeFile(join(PROJECT, "docs/reliability.md"), reliabilityPage(outcomes));
  const wrong = outcomes.filter((outcome) => !isRight(outcome));
  if (wrong.length > 0) throw new Error(`wrong: ${wrong.map(({ name }) => name).join(", ")}`);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
