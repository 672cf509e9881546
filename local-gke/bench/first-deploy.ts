import { cp, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { OWN_CHART } from "../milvus-chart.ts";
import { Caller } from "../resilience/caller.ts";
import type { Figure } from "./figure.ts";
import { type Lab, openLab, setAddressDelay, THROUGH_GOOGLE } from "./lab.ts";
import { bareCommands } from "./overhead.ts";

const PAIRS = 2;
/** How much faster everything is than at Google. */
const SCALE = 2;
/** The usual times, in milliseconds: pods of the proxy, the slowest pods, a new load balancer, the pause between calls. */
const USUAL = { proxy: 9000, slowest: 30_000, loadBalancer: 25_000, poll: 5000 };
const TOKEN = "root:Milvus";

/**
 * Compares the action's time until Milvus is proven to answer through a new load balancer with that of the bare commands
 * one after the other: upgrade and wait, apply, wait for the address, call Milvus until it answers.
 */
export async function firstDeploy({ gke }: Lab): Promise<Figure[]> {
  const lab = await openLab(gke, await slowChart(gke.directory), "first-deploy");
  await setAddressDelay(lab, USUAL.loadBalancer / SCALE);
  const bare: number[] = [];
  const action: number[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    bare.push(await lab.withRelease((namespace) => bareSeconds(lab, namespace)));
    action.push(await lab.withRelease((namespace) => actionSeconds(lab, namespace)));
  }
  return [
    { name: `upgrade, apply, wait, call: to Milvus's answer (times / ${SCALE})`, unit: "s", values: bare },
    { name: `the action: to Milvus's answer (times / ${SCALE})`, unit: "s", values: action },
    {
      name: "the action against the bare commands (per pair)",
      unit: "x",
      values: action.map((time, pair) => time / (bare[pair] ?? Number.NaN)),
      target: 0.75,
    },
  ];
}

async function bareSeconds(lab: Lab, namespace: string): Promise<number> {
  const commands = await bareCommands(lab, namespace);
  const started = performance.now();
  const address = await commands.run();
  while (!(await answers(address))) await delay(USUAL.poll / SCALE);
  return (performance.now() - started) / 1000;
}

async function answers(address: string): Promise<boolean> {
  const caller = new Caller(TOKEN);
  caller.add({ name: "new", address: `${address}:443`, tls: true });
  const call = await caller.once();
  await caller.stop();
  return call.answeredBy.length > 0;
}

async function actionSeconds(lab: Lab, namespace: string): Promise<number> {
  const { started, log } = await lab.act({ ...THROUGH_GOOGLE, namespace, milvus_token: TOKEN });
  const called = log.findIndex(({ text }) => text === "::group::Call Milvus through the load balancer");
  const proven = log.slice(called).find(({ text }) => text === "::endgroup::");
  if (called < 0 || !proven) throw new Error("the action did not call Milvus");
  return (proven.at - started) / 1000;
}

/** Copies the chart with pods that take their time after an upgrade. */
async function slowChart(directory: string): Promise<string> {
  const chart = await mkdtemp(join(directory, "chart-"));
  await cp(OWN_CHART, chart, { recursive: true });
  const path = join(chart, "templates/_helpers.tpl");
  const place = "        checksum/config:";
  const seconds = (milliseconds: number) => `${milliseconds / SCALE}ms`;
  const readyAfter = `        {{- if .root.Release.IsUpgrade }}
        local-gke/ready-after: {{ ternary "${seconds(USUAL.proxy)}" "${seconds(USUAL.slowest)}" (eq .component "proxy") }}
        {{- end }}
`;
  const before = await readFile(path, "utf8");
  await writeFile(path, before.replace(place, readyAfter + place));
  return chart;
}
