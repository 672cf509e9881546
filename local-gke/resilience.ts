// Measures the effects of killed pipelines and of the switch to the new load balancer on a release and its
// clients.
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { messageOf } from "../src/base/errors.ts";
import { openLab } from "./bench/lab.ts";
import { up } from "./cluster.ts";
import { HELMS, type KillFigures, surviveKills } from "./resilience/kills.ts";
import { ENDPOINTS, measureSwitch, type SwitchFigures } from "./resilience/switch.ts";
import { sayOnStderr } from "./say.ts";
import { table } from "./table.ts";

const USAGE = `Usage: npm run resilience [-- --kills N] [--json FILE]   measures on a local GKE and prints tables

  --kills N     kills N runs (default 20) of each Helm version at random moments
  --json FILE   also writes the results to FILE; "-" prints them instead of the tables`;

const STATUSES = ["deployed", "failed", "pending-upgrade", "pending-rollback"];

try {
  const { kills, json } = parseArgs({
    options: { kills: { type: "string", default: "20" }, json: { type: "string" } },
  }).values;
  if (!/^[1-9]\d*$/.test(kills)) throw new TypeError(`--kills: ${kills} is not a positive integer`);
  const figures = await measure(Number(kills));
  if (json !== "-") {
    process.stdout.write(`${killsTable(figures.kills)}\n\n${switchTable(figures.switches)}\n`);
  }
  const text = `${JSON.stringify(figures, undefined, 2)}\n`;
  if (json === "-") process.stdout.write(text);
  else if (json !== undefined) await writeFile(json, text);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n${error instanceof TypeError ? `${USAGE}\n` : ""}`);
  process.exitCode = 1;
}

async function measure(count: number): Promise<{ kills: KillFigures[]; switches: SwitchFigures[] }> {
  const gke = await up();
  try {
    const lab = await openLab(gke);
    const switches: SwitchFigures[] = [];
    for (const keepLayer4 of [false, true]) {
      sayOnStderr(`measuring the switch with keep_layer4: ${keepLayer4}`);
      switches.push(await measureSwitch(lab, keepLayer4));
    }
    const kills: KillFigures[] = [];
    for (const helm of HELMS) kills.push(await surviveKills(gke, helm, count, sayOnStderr));
    return { kills, switches };
  } finally {
    await gke.down();
  }
}

function killsTable(figures: KillFigures[]): string {
  const head = ["kills", "runs killed", ...STATUSES.map((status) => `left ${status}`), "survived"];
  const rows = figures.map(({ helm, kills, left, survived }) => {
    return [helm, ...[kills, ...STATUSES.map((status) => left[status] ?? 0), survived].map(String)];
  });
  return table([head, ...rows]);
}

function switchTable(figures: SwitchFigures[]): string {
  const head = ["keep_layer4", "calls", "failed", "share", "longest outage", "action", ...ENDPOINTS];
  const rows = figures.map(({ keepLayer4, calls, failed, longestOutage, duration, answers }) => [
    String(keepLayer4),
    String(calls),
    String(failed),
    `${((100 * failed) / calls).toFixed(1)} %`,
    seconds(longestOutage),
    seconds(duration),
    ...ENDPOINTS.map((endpoint) => {
      const { first, last } = answers[endpoint] ?? {};
      return first === undefined || last === undefined ? "never" : `${first.toFixed(1)} to ${seconds(last)}`;
    }),
  ]);
  return table([head, ...rows]);
}

function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}
