// Measures the effects of killed pipelines on a release and its clients.
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { allOf } from "../src/base/async.ts";
import { messageOf } from "../src/base/errors.ts";
import { up } from "./cluster.ts";
import { HELMS, type KillFigures, surviveKills } from "./resilience/kills.ts";
import { sayOnStderr } from "./say.ts";
import { table } from "./table.ts";

const USAGE = `Usage: npm run resilience [-- --kills N] [--json FILE]   measures on local GKEs, one for each Helm, and prints a table

  --kills N     kills N runs (default 20) of each Helm version at random moments
  --json FILE   also writes the results to FILE; "-" prints them instead of the table`;

const STATUSES = ["deployed", "failed", "pending-upgrade", "pending-rollback"];

try {
  const { kills, json } = parseArgs({
    options: { kills: { type: "string", default: "20" }, json: { type: "string" } },
  }).values;
  if (!/^[1-9]\d*$/.test(kills)) throw new TypeError(`--kills: ${kills} is not a positive integer`);
  const count = Number(kills);
  const figures = await allOf(HELMS.map((helm) => measure(helm, count)));
  if (json !== "-") process.stdout.write(`${tableOf(figures)}\n`);
  const text = `${JSON.stringify(figures, undefined, 2)}\n`;
  if (json === "-") process.stdout.write(text);
  else if (json !== undefined) await writeFile(json, text);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n${error instanceof TypeError ? `${USAGE}\n` : ""}`);
  process.exitCode = 1;
}

/** Each Helm has a local GKE of its own. A kill leaves the processors idle most of the time. */
async function measure(helm: (typeof HELMS)[number], count: number): Promise<KillFigures> {
  const gke = await up();
  try {
    return await surviveKills(gke, helm, count, sayOnStderr);
  } finally {
    await gke.down();
  }
}

function tableOf(figures: readonly KillFigures[]): string {
  const left = STATUSES.map((status) => `left ${status}`);
  const clients = ["by name", "by address"].flatMap((client) => [
    `failed calls ${client}`,
    `longest outage ${client}`,
  ]);
  const rows = figures.map(({ helm, kills, left, survived, byName, byAddress }) => [
    helm,
    ...[kills, ...STATUSES.map((status) => left[status] ?? 0), survived].map(String),
    ...[byName, byAddress].flatMap(({ calls, failed, longestOutage }) => [
      `${((100 * failed) / calls).toFixed(2)} % of ${calls}`,
      `${longestOutage.toFixed(1)} s`,
    ]),
  ]);
  return table([["Helm", "runs killed", ...left, "survived", ...clients], ...rows]);
}
