import { mkdtemp, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { parse } from "yaml";
import { type Program, run } from "../../src/base/process.ts";
import { HOST, RELEASE, succeed, THROUGH_GOOGLE } from "../bench/lab.ts";
import { binaries } from "../binaries/binaries.ts";
import type { LocalGke } from "../cluster.ts";
import { MARK } from "../control-plane/processes.ts";
import { OWN_CHART } from "../milvus-chart.ts";
import { runAction } from "../run-action.ts";
import type { Cell } from "./cell.ts";
import { type Gate, startGate } from "./gate.ts";
import { startWire, type Wire } from "./wire.ts";

export const HELMS = ["helm3", "helm4"] as const;
export type HelmName = (typeof HELMS)[number];

/** One run of the action, as a runner sees it. */
export interface FaultRun {
  exitCode: number;
  /** The error annotations of the run, apart from those at a line of a file. */
  errors: string[];
  log: string[];
  /** When it printed its first error, by performance.now(). */
  failed: number | undefined;
}

/** What differs from a usual run. */
export interface RunOptions {
  inputs?: Record<string, string>;
  /** What the runner sets otherwise, e.g. GITHUB_OUTPUT. */
  runner?: Record<string, string>;
  onLine?: (line: string) => void;
  signal?: AbortSignal;
}

/**
 * A release in a namespace of its own, and a run's ways to the cluster and to Google, each through a gate.
 */
export interface Bench {
  namespace: string;
  /** In front of the API server. */
  apiServer: Gate;
  /** In front of Google's APIs. */
  google: Gate;
  /** To the API server. */
  wire: Wire;
  /** To the load balancer, for runs that check there. */
  entrance: Wire;
  /** Files and processes of the runs. */
  directory: string;
  kubectl: Program;
  tools: { helm: string; kubectl: string };
  /** Asks the local GKE's control API for something. */
  control(method: "PUT" | "DELETE", path: string, body?: unknown): Promise<void>;
  act(options?: RunOptions): Promise<FaultRun>;
  /** The release's status and values, as Helm has them. */
  release(): Promise<{ status: string; values: unknown }>;
  close(): Promise<void>;
}

const Kubeconfig = v.object({
  clusters: v.tuple([
    v.object({ cluster: v.object({ server: v.string(), "certificate-authority-data": v.string() }) }),
  ]),
  users: v.tuple([v.object({ user: v.object({ token: v.string() }) })]),
});
const Status = v.object({ info: v.object({ status: v.string() }), config: v.optional(v.unknown()) });

/** The inputs of every run. */
const INPUTS = {
  host: HOST,
  release: RELEASE,
  chart: OWN_CHART,
  milvus_token: "root:Milvus",
  keep_layer4: "false",
  recover_pending: "1s",
  gcloud_version: "none",
  helm_timeout: "60s",
  address_timeout: "60s",
  backends_timeout: "60s",
};

/** Installs the smallest release and opens the gates in front of it. */
export async function openBench(
  gke: LocalGke,
  namespace: string,
  helm: HelmName,
  { through, inputs: own }: Pick<Cell, "through" | "inputs">,
): Promise<Bench> {
  const paths = await binaries([helm, "kubectl"]);
  const tools = { helm: paths[helm], kubectl: paths.kubectl };
  const env = { KUBECONFIG: gke.kubeconfig };
  const helmProgram: Program = { name: "helm", path: tools.helm, env };
  await install(helmProgram, namespace);

  const kubeconfig = v.parse(Kubeconfig, parse(await readFile(gke.kubeconfig, "utf8")));
  const [{ cluster }] = kubeconfig.clusters;
  const [{ user }] = kubeconfig.users;
  const authority = Buffer.from(cluster["certificate-authority-data"], "base64").toString();
  const googleUrl = new URL(gke.env.GHA_ENDPOINT_OVERRIDE_compute ?? "").origin;
  const [apiServer, google, wire, entrance] = await Promise.all([
    startGate(cluster.server, authority),
    startGate(googleUrl),
    startWire(),
    startWire(),
  ]);
  wire.lead(new URL(cluster.server).host);
  const directory = await mkdtemp(join(gke.directory, "faults-"));
  const ways: Record<Cell["through"], Record<string, string>> = {
    google: THROUGH_GOOGLE,
    kubeconfig: { kubeconfig: kubeconfigFor(apiServer.url, apiServer.certificate ?? "", user.token) },
    wire: { kubeconfig: kubeconfigFor(`https://${wire.address}`, authority, user.token) },
  };
  const inputs = { ...INPUTS, namespace, ...ways[through] };
  const bench: Bench = {
    namespace,
    apiServer,
    google,
    wire,
    entrance,
    directory,
    kubectl: { name: "kubectl", path: tools.kubectl, env },
    tools,

    async control(method, path, body) {
      const content = body === undefined ? {} : { body: JSON.stringify(body) };
      const answer = await fetch(`${gke.control}/${path}`, { method, ...content });
      if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
    },

    async act(options = {}) {
      const log: string[] = [];
      let failed: number | undefined;
      const { KUBECONFIG: _, ...googleEnv } = gke.env;
      const { exitCode } = await runAction({
        inputs: { ...inputs, ...own?.(bench), ...options.inputs },
        env: {
          ...(through === "google" ? behindGate(googleEnv, googleUrl, google.url) : {}),
          [MARK]: directory,
        },
        tools: Object.values(tools),
        directory,
        ...(options.runner && { runner: options.runner }),
        ...(options.signal && { signal: options.signal }),
        onLine(line) {
          log.push(line);
          if (line.startsWith("::error")) failed ??= performance.now();
          options.onLine?.(line);
        },
      });
      return { exitCode, errors: errorsIn(log), log, failed };
    },

    async release() {
      const args = ["status", RELEASE, "--namespace", namespace, "--output", "json"];
      const { info, config } = v.parse(Status, JSON.parse((await succeed(helmProgram, args)).stdout));
      return { status: info.status, values: config };
    },

    async close() {
      await Promise.all([apiServer.close(), google.close(), wire.close(), entrance.close()]);
    },
  };
  return bench;
}

async function install(helm: Program, namespace: string): Promise<void> {
  const starting = join(dirname(OWN_CHART), "starting-values.yaml");
  // A layer-4 load balancer for each fault would take the addresses that the local GKE has.
  const small = "cluster.enabled=false,etcd.enabled=false,service.type=ClusterIP";
  const values = ["--values", starting, "--set", small];
  const args = ["install", RELEASE, OWN_CHART, "--namespace", namespace, "--create-namespace", ...values];
  const { exitCode, stderr } = await run(helm, args);
  if (exitCode !== 0) throw new Error(`Milvus could not be installed in ${namespace}: ${stderr}`);
}

function kubeconfigFor(server: string, certificate: string, token: string): string {
  const authority = Buffer.from(certificate).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "gate",
    clusters: [{ name: "gate", cluster: { server, "certificate-authority-data": authority } }],
    users: [{ name: "gate", user: { token } }],
    contexts: [{ name: "gate", context: { cluster: "gate", user: "gate" } }],
  });
}

/** Leads every endpoint of Google's APIs through the gate. */
function behindGate(env: Record<string, string>, target: string, gate: string): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value.replace(target, gate)]));
}

/** Returns the texts of error annotations, without those at a line of a file. */
export function errorsIn(log: readonly string[]): string[] {
  return log
    .flatMap((line) => /^::error(?! [^:]*\bfile=)[^:]*::(.*)$/.exec(line)?.[1] ?? [])
    .map((text) => text.replaceAll("%0A", "\n").replaceAll("%0D", "\r").replaceAll("%25", "%"));
}
