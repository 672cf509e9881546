// Kills runs of the action at random moments, with all that they have started, and looks whether the next run goes on
// from there.
import { randomInt } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { messageOf } from "../src/errors.ts";
import { type Release, readRelease } from "../src/helm/release.ts";
import type { YamlMap } from "../src/yaml.ts";
import { HOST, RELEASE, THROUGH_GOOGLE } from "./bench/lab.ts";
import { binaries } from "./binaries/binaries.ts";
import { type LocalGke, up } from "./cluster.ts";
import { killProcessesOf, MARK } from "./control-plane/processes.ts";
import { installRelease } from "./release.ts";
import { PROJECT, runAction } from "./run-action.ts";
import { table } from "./table.ts";

const USAGE = `Usage: npm run kill-test -- [--kills N]   kills N runs (20) with each Helm and prints what became of the release`;

const HELMS = ["helm3", "helm4"] as const;
/** Values of the release, in the place of which each run has others. */
const ANNOTATION = "example.com/run";

/** From where moments are counted in turn: while Helm is at work there is most to lose. */
const MOMENTS = [/^/, /^::group::(Upgrade|Roll back)/];

/** So many milliseconds after the first line of a run's log that matches. */
interface Moment {
  line: RegExp;
  milliseconds: number;
}

/** One release and the runs on it. */
interface Subject {
  helm: (typeof HELMS)[number];
  namespace: string;
  /** Runs the action until it ends, or until it has ended or is killed at a moment. */
  act(run: string, moment?: Moment): Promise<{ exitCode: number; milliseconds: number; log: string[] }>;
  read(): Promise<Release>;
}

try {
  const { kills } = parseArgs({ options: { kills: { type: "string", default: "20" } } }).values;
  if (!/^[1-9]\d*$/.test(kills)) throw new TypeError(`--kills: ${kills} is no number above zero`);
  const gke = await up();
  try {
    const rows: string[][] = [];
    for (const helm of HELMS) rows.push(await survive(await subject(gke, helm), Number(kills)));
    const head = ["", "kills", "left deployed", "pending-upgrade", "pending-rollback", "survived"];
    process.stdout.write(`${table([head, ...rows])}\n`);
  } finally {
    await gke.down();
  }
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n${error instanceof TypeError ? `${USAGE}\n` : ""}`);
  process.exitCode = 1;
}

async function subject(gke: LocalGke, helm: Subject["helm"]): Promise<Subject> {
  const tools = await binaries([helm, "kubectl"]);
  const namespace = `kill-${helm}`;
  const { kubeconfig } = gke;
  await installRelease({ kubeconfig, helm: tools[helm], release: RELEASE, namespace });
  const inputs = {
    ...THROUGH_GOOGLE,
    host: HOST,
    release: RELEASE,
    namespace,
    chart: join(PROJECT, "local-gke/chart/milvus"),
    recover_pending: "1s",
    wait_for: "none",
    gcloud_version: "none",
  };
  return {
    helm,
    namespace,
    async act(run, moment) {
      const directory = await mkdtemp(join(gke.directory, "job-"));
      const log: string[] = [];
      const reached = Promise.withResolvers<void>();
      const running = runAction({
        inputs: { ...inputs, values: `annotations:\n  ${ANNOTATION}: ${JSON.stringify(run)}\n` },
        env: { ...gke.env, [MARK]: directory },
        tools: Object.values(tools),
        directory,
        onLine(line) {
          log.push(line);
          if (moment?.line.test(line)) reached.resolve();
        },
      });
      if (moment) {
        const { milliseconds } = moment;
        await Promise.race([running, reached.promise.then(() => delay(milliseconds))]);
        await killProcessesOf(directory);
      }
      const { exitCode, milliseconds } = await running;
      return { exitCode, milliseconds, log };
    },
    async read() {
      const program = { name: "helm", path: tools[helm], env: { KUBECONFIG: kubeconfig } };
      const release = await readRelease(program, RELEASE, namespace);
      if (!release) throw new Error(`release ${namespace}/${RELEASE} is gone`);
      return release;
    },
  };
}

/** Kills runs, one or several in a row, lets the next one end, and returns a row of the table. */
async function survive(release: Subject, kills: number): Promise<string[]> {
  const settled = await finish(release, "0");
  const statuses: string[] = [];
  let unproven = 0;
  let survived = 0;
  for (let kill = 1; kill <= kills; kill += 1) {
    const line = MOMENTS[kill % MOMENTS.length] ?? /^/;
    await release.act(`${kill}`, { line, milliseconds: randomInt(Math.ceil(settled.milliseconds / 2)) });
    statuses.push((await release.read()).status);
    unproven += 1;
    if (kill < kills && randomInt(2) === 0) continue;
    const { values } = await finish(release, `after ${kill}`);
    if (!isDeepStrictEqual(values, settled.values)) {
      throw new Error(`${release.helm}: values were lost after kill ${kill}: ${JSON.stringify(values)}`);
    }
    survived += unproven;
    unproven = 0;
    process.stderr.write(`${release.helm}: ${survived} of ${kills} kills survived\n`);
  }
  const count = (status: string) => String(statuses.filter((each) => each === status).length);
  const left = ["deployed", "pending-upgrade", "pending-rollback"].map(count);
  return [release.helm, String(kills), ...left, String(survived)];
}

/**
 * Runs the action to its end and returns the release's values but for the run's own.
 *
 * @throws Error with the log when it fails, or the release isn't deployed with the run's value afterwards
 */
async function finish(release: Subject, run: string): Promise<{ values: YamlMap; milliseconds: number }> {
  const { exitCode, milliseconds, log } = await release.act(run);
  const { status, values } = await release.read();
  const { annotations, ...others } = values;
  if (exitCode !== 0 || status !== "deployed" || !isDeepStrictEqual(annotations, { [ANNOTATION]: run })) {
    const state = `${release.helm}: run "${run}" ended with ${exitCode}, the release is ${status}`;
    throw new Error(`${state}:\n${log.join("\n")}`);
  }
  return { values: others, milliseconds };
}
