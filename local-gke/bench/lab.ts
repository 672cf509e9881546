import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { type Output, type Program, run } from "../../src/base/process.ts";
import { binaries } from "../binaries/binaries.ts";
import type { LocalGke } from "../cluster.ts";
import { installRelease } from "../release.ts";
import { type ActionRun, PROJECT, runAction } from "../run-action.ts";

/** One line of a run's log, and when it came, by performance.now(). */
export interface LogLine {
  text: string;
  at: number;
}

export type LoggedRun = ActionRun & { log: LogLine[] };

/** What measurements on one local GKE need. */
export interface Lab {
  gke: LocalGke;
  chart: string;
  helm: Program;
  kubectl: Program;
  /**
   * Runs the action once, post step included, and returns what it printed.
   *
   * @throws Error with the log when it fails
   */
  act(inputs: Record<string, string>, options?: ActOptions): Promise<LoggedRun>;
  /** Makes a release as the page's reader has it in a namespace of its own, hands it over, and removes it. */
  withRelease<T>(use: (namespace: string) => Promise<T>): Promise<T>;
}

interface ActOptions {
  onLine?: (line: LogLine) => void;
  env?: Record<string, string>;
  nodeOptions?: string[];
}

export const RELEASE = "my-release";
export const HOST = "my-release.milvus.io";

/** Prepares measurements on a local GKE. */
export async function openLab(gke: LocalGke): Promise<Lab> {
  const paths = await binaries(["helm4", "kubectl"]);
  const env = { KUBECONFIG: gke.kubeconfig };
  const kubectl = { name: "kubectl", path: paths.kubectl, env };
  const chart = join(PROJECT, "local-gke/chart/milvus");
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
      if (step.exitCode !== 0) {
        throw new Error(`The action failed:\n${log.map(({ text }) => text).join("\n")}`);
      }
      return { ...step, log };
    },

    async withRelease(use) {
      releases += 1;
      const namespace = `bench-${releases}`;
      await installRelease({
        kubeconfig: gke.kubeconfig,
        helm: paths.helm4,
        chart,
        release: RELEASE,
        namespace,
      });
      try {
        return await use(namespace);
      } finally {
        // What is being removed must not slow down what is measured next. The empty namespace stays: its removal
        // takes longer than everything else here.
        const where = ["--namespace", namespace];
        await succeed(kubectl, ["delete", "ingress", "--all", ...where, "--timeout=60s"]);
        await succeed({ name: "helm", path: paths.helm4, env }, ["uninstall", RELEASE, ...where, "--wait"]);
      }
    },
  };
}

/** Returns how many milliseconds each group of a log took, in their order. */
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

/** Inputs by which the action asks Google for the cluster. */
export const THROUGH_GOOGLE = { cluster_name: "my-cluster", location: "us-central1" };

/**
 * Runs a program.
 *
 * @throws Error with what it printed when it fails
 */
export async function succeed(program: Program, args: string[]): Promise<Output> {
  const output = await run(program, args);
  if (output.exitCode !== 0) throw new Error(`${program.name} ${args.join(" ")} failed:\n${output.stderr}`);
  return output;
}

/** Sets how long the load balancer of an Ingress takes to have its address. */
export async function setAddressDelay({ gke }: Lab, milliseconds: number): Promise<void> {
  const answer = await fetch(`${gke.control}/timing/addressDelayMs`, {
    method: "PUT",
    body: JSON.stringify(milliseconds),
  });
  if (!answer.ok) throw new Error(`the delay could not be set: ${await answer.text()}`);
}
