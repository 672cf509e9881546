import { randomInt } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { isMap, type YamlMap } from "../../src/base/yaml.ts";
import { type Release, readRelease } from "../../src/helm/release.ts";
import { ApiServer } from "../../src/kubernetes/api.ts";
import { HOST, layer4Address, RELEASE, succeed, THROUGH_GOOGLE } from "../bench/lab.ts";
import { binaries } from "../binaries/binaries.ts";
import { callAtIntervals } from "../clients/call-at-intervals.ts";
import { Caller } from "../clients/caller.ts";
import { type CallFigures, figuresOf } from "../clients/figures.ts";
import { layer4Ways } from "../clients/ways-in.ts";
import type { LocalGke } from "../cluster.ts";
import { killProcessesOf, MARK } from "../control-plane/processes.ts";
import { installRelease } from "../release.ts";
import { PROJECT, runAction } from "../run-action.ts";
import type { Say } from "../say.ts";

/** The results for a release whose runs were killed, and for a client of its layer-4 load balancer. */
export interface KillFigures extends CallFigures {
  helm: string;
  kills: number;
  /** Number of kills that left the release in each status. */
  left: Record<string, number>;
  /** Number of kills after which the next run continued without losing values. */
  survived: number;
  /** Number of the client's calls. */
  calls: number;
}

const TOKEN = "root:Milvus";
const DEADLINE_MS = 1000;

export const HELMS = ["helm3", "helm4"] as const;
/** Prefix of the pod annotations that runs set: one holds the run's name, another is unique to the run. */
const RUN_PREFIX = "example.com/";
const ANNOTATION = `${RUN_PREFIX}run`;

/** A kill's delay starts at one of these lines in turn. Most can be lost while Helm is running. */
const MOMENTS = [/^/, /^::group::(Upgrade|Roll back)/];

/** A number of milliseconds after the first matching line of a run's log. */
interface Moment {
  line: RegExp;
  milliseconds: number;
}

interface TestedRelease {
  helm: (typeof HELMS)[number];
  namespace: string;
  /** Runs the action to its end, or kills it at `moment`. */
  act(run: string, moment?: Moment): Promise<{ exitCode: number; milliseconds: number; log: string[] }>;
  read(): Promise<Release>;
  /** The address of its layer-4 load balancer. */
  address(): Promise<string>;
  /** The pod annotations of each Deployment that runs have set. */
  annotations(): Promise<Record<string, string>[]>;
}

const Deployments = v.object({
  items: v.array(
    v.object({
      spec: v.object({
        template: v.object({
          metadata: v.object({ annotations: v.optional(v.record(v.string(), v.string()), {}) }),
        }),
      }),
    }),
  ),
});

async function installTestedRelease(gke: LocalGke, helm: TestedRelease["helm"]): Promise<TestedRelease> {
  const tools = await binaries([helm, "kubectl"]);
  const namespace = `kill-${helm}`;
  const { kubeconfig } = gke;
  await installRelease({ kubeconfig, helm: tools[helm], release: RELEASE, namespace });
  const kubectl = { name: "kubectl", path: tools.kubectl, env: { KUBECONFIG: kubeconfig } };
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
        inputs: { ...inputs, values: JSON.stringify({ annotations: annotationsOf(run) }) },
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
    address: () => layer4Address({ kubectl }, namespace),
    async read() {
      const api = await ApiServer.open(kubectl, await mkdtemp(join(tmpdir(), "kills-")));
      const release = await readRelease(api, RELEASE, namespace).finally(() => api.close());
      if (!release) throw new Error(`release ${namespace}/${RELEASE} is gone`);
      return release;
    },
    async annotations() {
      const get = ["get", "deployments", "--namespace", namespace, "--output", "json"];
      const { items } = v.parse(Deployments, JSON.parse((await succeed(kubectl, get)).stdout));
      return items.map(({ spec }) => {
        const all = Object.entries(spec.template.metadata.annotations);
        return Object.fromEntries(all.filter(([name]) => name.startsWith(RUN_PREFIX)));
      });
    },
  };
}

/**
 * Kills runs and all their child processes at random moments. Lets a run finish after one or more kills. All the while, a
 * client calls Milvus at the layer-4 load balancer.
 *
 * @param say logs the progress
 * @throws Error with a run's log if it does not finish, or with the values if some were lost
 */
export async function surviveKills(
  gke: LocalGke,
  helm: (typeof HELMS)[number],
  kills: number,
  say: Say,
): Promise<KillFigures> {
  const release = await installTestedRelease(gke, helm);
  const ways = layer4Ways(await release.address());
  const client = { host: HOST, token: TOKEN, ways: async () => ways, deadlineMs: DEADLINE_MS };
  const calling = callAtIntervals(new Caller(client));
  try {
    const survival = await killAndFinish(release, kills, say);
    const calls = await calling.stop();
    return { helm, kills, ...survival, calls: calls.length, ...figuresOf(calls) };
  } finally {
    await calling.stop();
  }
}

async function killAndFinish(
  release: TestedRelease,
  kills: number,
  say: Say,
): Promise<Pick<KillFigures, "left" | "survived">> {
  const { helm } = release;
  const settled = await finish(release, "0");
  const left: Record<string, number> = {};
  let unproven = 0;
  let survived = 0;
  for (let kill = 1; kill <= kills; kill += 1) {
    const line = MOMENTS[kill % MOMENTS.length] ?? /^/;
    await release.act(`${kill}`, { line, milliseconds: randomInt(Math.ceil(settled.milliseconds / 2)) });
    const { status } = await release.read();
    left[status] = (left[status] ?? 0) + 1;
    unproven += 1;
    if (kill < kills && randomInt(2) === 0) continue;
    const { values } = await finish(release, `after ${kill}`);
    if (!isDeepStrictEqual(values, settled.values)) {
      throw new Error(`${helm}: values were lost after kill ${kill}: ${JSON.stringify(values)}`);
    }
    survived += unproven;
    unproven = 0;
    say(`${helm}: ${survived} of ${kills} kills survived`);
  }
  return { left, survived };
}

/**
 * Runs the action to its end and returns the release's values without those of the runs.
 *
 * @throws Error with the log if the run fails, or if the release or its pods do not have the run's values
 */
async function finish(
  release: TestedRelease,
  run: string,
): Promise<{ values: YamlMap; milliseconds: number }> {
  const { exitCode, milliseconds, log } = await release.act(run);
  const { status, values } = await release.read();
  const { annotations, ...others } = values;
  const pods = await release.annotations();
  const hasRun = isMap(annotations) && annotations[ANNOTATION] === run;
  const left = pods.find((pod) => !isDeepStrictEqual(pod, annotations));
  if (exitCode !== 0 || status !== "deployed" || !hasRun || left) {
    const state = `${release.helm}: run "${run}" ended with ${exitCode}, the release is ${status}`;
    const found = `values: ${JSON.stringify(annotations)}, pods: ${JSON.stringify(left)}`;
    throw new Error(`${state}, ${found}:\n${log.join("\n")}`);
  }
  return { values: others, milliseconds };
}

function annotationsOf(run: string): Record<string, string> {
  return { [ANNOTATION]: run, [`${ANNOTATION}-${run.replaceAll(" ", "-")}`]: "" };
}
