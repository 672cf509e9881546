import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { type Output, type Program, run } from "../../src/base/process.ts";
import { type Release, readRelease } from "../../src/helm/release.ts";
import { ApiServer } from "../../src/kubernetes/api.ts";
import { binaries } from "../binaries/binaries.ts";
import type { LocalGke } from "../cluster.ts";
import type { Timing } from "../ingress/timing.ts";
import { OWN_CHART } from "../milvus-chart.ts";
import { installRelease } from "../release.ts";
import { type ActionRun, runAction } from "../run-action.ts";

/** One line of a run's log, and its time by performance.now(). */
export interface LogLine {
  text: string;
  at: number;
}

export type LoggedRun = ActionRun & { log: LogLine[] };

/** A test bench on one local GKE. */
export interface Lab {
  gke: LocalGke;
  chart: string;
  helm: Program;
  kubectl: Program;
  /**
   * Runs the action once, including its post step.
   *
   * @throws Error with the log if the action fails, or doesn't although it should
   */
  act(inputs: Record<string, string>, options?: ActOptions): Promise<LoggedRun>;
  /** Installs a release in its own namespace, runs `use`, and uninstalls the release. */
  withRelease<T>(use: (namespace: string) => Promise<T>): Promise<T>;
}

interface ActOptions {
  /** Whether the action is to fail. */
  fails?: boolean;
  onLine?: (line: LogLine) => void;
  env?: Record<string, string>;
  nodeOptions?: string[];
}

export const RELEASE = "my-release";
export const HOST = "my-release.milvus.io";

/**
 * Reads the release of a namespace as Helm has stored it.
 *
 * @throws Error if there is none
 */
export async function storedRelease(kubectl: Program, gke: LocalGke, namespace: string): Promise<Release> {
  const api = await ApiServer.open(kubectl, await mkdtemp(join(gke.directory, "api-")));
  const release = await readRelease(api, RELEASE, namespace).finally(() => api.close());
  if (!release) throw new Error(`release ${namespace}/${RELEASE} is gone`);
  return release;
}

/**
 * Opens a test bench.
 *
 * @param options `chart`: path of its releases' chart; `prefix`: what the names of its namespaces begin with;
 *   `isStandalone`: whether all of a Milvus is in one pod
 */
export async function openLab(
  gke: LocalGke,
  { chart = OWN_CHART, prefix = "bench", isStandalone = false } = {},
): Promise<Lab> {
  const paths = await binaries(["helm4", "kubectl"]);
  const env = { KUBECONFIG: gke.kubeconfig };
  const kubectl = { name: "kubectl", path: paths.kubectl, env };
  const directory = await mkdtemp(join(gke.directory, "job-"));
  let releases = 0;
  return {
    gke,
    chart,
    kubectl,
    helm: { name: "helm", path: paths.helm4, env },

    async act(inputs, options = {}) {
      const log: LogLine[] = [];
      const step = await runAction({
        inputs: { host: HOST, release: RELEASE, chart, gcloud_version: "none", ...inputs },
        env: { ...gke.env, ...options.env },
        tools: Object.values(paths),
        directory,
        onLine(text) {
          const line = { text, at: performance.now() };
          log.push(line);
          options.onLine?.(line);
        },
        ...(options.nodeOptions && { nodeOptions: options.nodeOptions }),
      });
      await step.post();
      if ((step.exitCode !== 0) !== (options.fails ?? false)) {
        const text = log.map((line) => line.text).join("\n");
        throw new Error(`The action ended with ${step.exitCode}:\n${text}`);
      }
      return { ...step, log };
    },

    async withRelease(use) {
      releases += 1;
      const namespace = `${prefix}-${releases}`;
      await installRelease({
        kubeconfig: gke.kubeconfig,
        helm: paths.helm4,
        chart,
        release: RELEASE,
        namespace,
        isStandalone,
      });
      try {
        return await use(namespace);
      } finally {
        // Waits for the removal because it would slow down the next measurement. The empty namespace stays:
        // its removal would take longer than everything else here.
        const where = ["--namespace", namespace];
        await succeed(kubectl, ["delete", "ingress", "--all", ...where, "--timeout=60s"]);
        await succeed({ name: "helm", path: paths.helm4, env }, ["uninstall", RELEASE, ...where, "--wait"]);
      }
    },
  };
}

/** Computes the duration of each group of a log, in milliseconds. */
export function groupsOf(log: readonly LogLine[]): Map<string, number> {
  const groups = new Map<string, number>();
  let begun: { name: string; at: number } | undefined;
  for (const { text, at } of log) {
    const [, name] = /^::group::(.*)/.exec(text) ?? [];
    if (name !== undefined) begun = { name, at };
    else if (text === "::endgroup::" && begun) groups.set(begun.name, at - begun.at);
  }
  return groups;
}

/** Inputs that make the action look the cluster up at Google. */
export const THROUGH_GOOGLE = { cluster_name: "my-cluster", location: "us-central1" };

/**
 * Runs a program.
 *
 * @throws Error with its standard error if it fails
 */
export async function succeed(program: Program, args: string[]): Promise<Output> {
  const output = await run(program, args);
  if (output.exitCode !== 0) throw new Error(`${program.name} ${args.join(" ")} failed:\n${output.stderr}`);
  return output;
}

/** Sets how long something takes at Google, in milliseconds. */
export async function setTime(
  lab: Pick<Lab, "gke">,
  name: keyof Timing,
  milliseconds: number,
): Promise<void> {
  await control(lab, "PUT", `timing/${name}`, milliseconds);
}

/** Calls the local GKE's control API. */
export async function control(
  { gke }: { gke: Pick<LocalGke, "control"> },
  method: "PUT" | "DELETE",
  path: string,
  body?: unknown,
): Promise<void> {
  const answer = await fetch(`${gke.control}/${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
}

/** Returns the address of a release's layer-4 load balancer. */
export async function layer4Address({ kubectl }: Pick<Lab, "kubectl">, namespace: string): Promise<string> {
  const where = ["service", `${RELEASE}-milvus`, "--namespace", namespace];
  const path = "jsonpath={.status.loadBalancer.ingress[0].ip}";
  return (await succeed(kubectl, ["get", ...where, "--output", path])).stdout;
}
