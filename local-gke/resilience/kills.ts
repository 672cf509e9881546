import { randomInt } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { isMap, type YamlMap } from "../../src/base/yaml.ts";
import type { Release } from "../../src/helm/release.ts";
import { layer4Address, RELEASE, setTime, storedRelease, succeed, THROUGH_GOOGLE } from "../bench/lab.ts";
import { binaries } from "../binaries/binaries.ts";
import type { Call } from "../clients/caller.ts";
import { type Calls, type Clients, startClients, ZONE } from "../clients/clients.ts";
import { type CallFigures, figuresOf } from "../clients/figures.ts";
import type { LocalGke } from "../cluster.ts";
import { killProcessesOf, MARK } from "../control-plane/processes.ts";
import { OWN_CHART } from "../milvus-chart.ts";
import { installRelease, STARTING_VALUES } from "../release.ts";
import { runAction } from "../run-action.ts";
import type { Say } from "../say.ts";

/** The results for a release whose runs were killed, and for its clients. */
export interface KillFigures {
  helm: string;
  kills: number;
  /** Number of kills that left the release in each status. */
  left: Record<string, number>;
  /** Number of kills after which the next run continued without losing values. */
  survived: number;
  byName: ClientFigures;
  byAddress: ClientFigures;
}

interface ClientFigures extends CallFigures {
  calls: number;
}

const TOKEN = "root:Milvus";
/** This takes minutes at Google. */
const ADDRESS_DELAY_MS = 2000;

/** A run that was not killed. */
interface Finish {
  /** The release's values without those of the runs. */
  values: YamlMap;
  milliseconds: number;
}

export const HELMS = ["helm3", "helm4"] as const;
/** Prefix of the pod annotations that runs set: one holds the run's name, another is unique to the run. */
const RUN_PREFIX = "example.com/";
const ANNOTATION = `${RUN_PREFIX}run`;

/** A kill's delay starts at one of these lines in turn. Most can be lost while Helm is running. */
const MOMENTS = [/^/, /^::group::(Upgrade|Roll back)/, /^::group::(Wait for the address|Remove the layer-4)/];

/** A number of milliseconds after the first matching line of a run's log. */
interface Moment {
  line: RegExp;
  milliseconds: number;
}

interface TestedRelease {
  helm: (typeof HELMS)[number];
  /** Runs the action to its end, or kills it at `moment`. */
  act(run: string, moment?: Moment): Promise<{ exitCode: number; milliseconds: number; log: string[] }>;
  read(): Promise<Release>;
  /**
   * Gives the release its first values, with a layer-4 load balancer and without TLS, and starts its clients.
   */
  startAgain(): Promise<Clients>;
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
  const host = `${namespace}.milvus.io`;
  let clients: Clients | undefined;
  let address = "";
  const inputs = {
    ...THROUGH_GOOGLE,
    host,
    dns_zone: ZONE,
    release: RELEASE,
    namespace,
    chart: OWN_CHART,
    recover_pending: "1s",
    milvus_token: TOKEN,
    gcloud_version: "none",
  };
  return {
    helm,
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
          address = /^The load balancer's address is (\S+)\.$/.exec(line)?.[1] ?? address;
          if (/^::group::Remove the layer-4/.test(line)) clients?.learn(address);
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
    async startAgain() {
      const where = ["--namespace", namespace];
      const upgrade = [
        "upgrade",
        RELEASE,
        OWN_CHART,
        ...where,
        "--reset-values",
        "--values",
        STARTING_VALUES,
      ];
      await succeed({ name: helm, path: tools[helm], env: { KUBECONFIG: kubeconfig } }, [
        ...upgrade,
        "--wait",
      ]);
      const layer4 = await layer4Address({ kubectl }, namespace);
      clients = await startClients(gke, { host, namespace, address: layer4, token: TOKEN });
      return clients;
    },
    read: () => storedRelease(kubectl, gke, namespace),
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
 * Kills runs and all their child processes at random moments. Lets a run finish after one or more
 * kills. Then the release gets its layer-4 load balancer back. Two clients call Milvus from before the
 * kills until after the finish.
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
  await setTime({ gke }, "addressDelayMs", ADDRESS_DELAY_MS);
  const release = await installTestedRelease(gke, helm);
  const left: Record<string, number> = {};
  const rounds: Calls[] = [];
  let settled: Finish | undefined;
  for (let survived = 0; survived < kills; ) {
    const clients = await release.startAgain();
    let killed = survived;
    try {
      // The first run tells how long one takes.
      while (settled && (killed === survived || (killed < kills && randomInt(2) === 0))) {
        killed += 1;
        const line = MOMENTS[killed % MOMENTS.length] ?? /^/;
        const milliseconds = randomInt(Math.ceil(settled.milliseconds / 2));
        await release.act(`${killed}`, { line, milliseconds });
        const { status } = await release.read();
        left[status] = (left[status] ?? 0) + 1;
      }
      const finish = await finished(release, `after ${killed}`);
      settled ??= finish;
      if (!isDeepStrictEqual(finish.values, settled.values)) {
        throw new Error(`${helm}: values were lost after kill ${killed}: ${JSON.stringify(finish.values)}`);
      }
    } finally {
      rounds.push(await clients.stop());
    }
    survived = killed;
    say(`${helm}: ${survived} of ${kills} kills survived`);
  }
  return {
    helm,
    kills,
    left,
    survived: kills,
    byName: figuresIn(rounds.map(({ byName }) => byName)),
    byAddress: figuresIn(rounds.map(({ byAddress }) => byAddress)),
  };
}

function figuresIn(rounds: readonly Call[][]): ClientFigures {
  const figures = rounds.map(figuresOf);
  return {
    calls: rounds.flat().length,
    failed: figures.reduce((sum, { failed }) => sum + failed, 0),
    longestOutage: Math.max(...figures.map(({ longestOutage }) => longestOutage)),
  };
}

/**
 * Runs the action to its end.
 *
 * @throws Error with the log if the run fails, or if the release or its pods do not have the run's values
 */
async function finished(release: TestedRelease, run: string): Promise<Finish> {
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
