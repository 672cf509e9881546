import { cp, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Caller } from "../clients/caller.ts";
import { layer7Way } from "../clients/ways-in.ts";
import { OWN_CHART } from "../milvus-chart.ts";
import type { Figure } from "./figure.ts";
import { HOST, type Lab, openLab, setTime, THROUGH_GOOGLE } from "./lab.ts";
import { bareCommands } from "./overhead.ts";

const PAIRS = 2;
/** How much faster everything is than at Google. */
const SCALE = 2;
/**
 * The usual times, in milliseconds: pods of the proxy, the slowest pods, a new load balancer, from then on
 * its certificate, the pause between calls.
 */
const USUAL = { proxy: 9000, slowest: 30_000, loadBalancer: 25_000, certificate: 10_000, poll: 5000 };
/** Of one call, in milliseconds. */
const DEADLINE_MS = 1000;
const PAUSE_MS = 20;
const TOKEN = "root:Milvus";

/**
 * Compares the action's time until Milvus is proven to answer through a new load balancer with
 * that of the bare commands one after the other: upgrade and wait, apply, wait for the address,
 * call Milvus until it answers.
 */
export async function firstDeploy({ gke }: Lab): Promise<Figure[]> {
  const { loadBalancer, certificate } = USUAL;
  await setTime({ gke }, "addressDelayMs", loadBalancer / SCALE);
  await setTime({ gke }, "frontendProgramMs", (loadBalancer + certificate) / SCALE);
  const chart = await slowChart(gke.directory);
  const cluster = await openLab(gke, { chart, prefix: "first-cluster" });
  const standalone = await openLab(gke, { chart, prefix: "first-standalone", isStandalone: true });
  const figures = [...(await compare(cluster, "cluster")), ...(await compare(standalone, "standalone"))];
  await setTime({ gke }, "frontendProgramMs", 0);
  return figures;
}

async function compare(lab: Lab, mode: "cluster" | "standalone"): Promise<Figure[]> {
  const bare: number[] = [];
  const action: number[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    bare.push(await lab.withRelease((namespace) => bareSeconds(lab, namespace)));
    action.push(await lab.withRelease((namespace) => actionSeconds(lab, namespace)));
  }
  const what = `first deploy, ${mode} mode, times / ${SCALE}`;
  return [
    { name: `${what}: upgrade, apply, wait, call until Milvus answers`, unit: "s", values: bare },
    { name: `${what}: the action, to Milvus's answer`, unit: "s", values: action },
    {
      name: `first deploy, ${mode} mode: the action against the bare commands (per pair)`,
      unit: "x",
      values: action.map((time, pair) => time / (bare[pair] ?? Number.NaN)),
      ...(mode === "cluster" && { target: 0.75 }),
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
  const ways = async () => [layer7Way(address)];
  const caller = new Caller({ host: HOST, token: TOKEN, ways, deadlineMs: DEADLINE_MS, pauseMs: PAUSE_MS });
  const { answeredBy } = await caller.call();
  caller.close();
  return answeredBy.length > 0;
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
