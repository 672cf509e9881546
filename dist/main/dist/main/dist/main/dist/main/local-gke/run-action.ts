import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { parse } from "yaml";
import { type Program, run } from "../src/base/process.ts";
import { parseFileCommands } from "../src/by-hand/file-commands.ts";

/** The directory of action.yml. */
export const PROJECT = join(import.meta.dirname, "..");

export interface ActionRun {
  exitCode: number;
  outputs: Record<string, string>;
  /** The job summary, Markdown. */
  summary: string;
  /** Time of its start, by performance.now(). */
  started: number;
  /** Duration of the main step. */
  milliseconds: number;
  /** Runs its post step, as a runner does after the job's other steps, and returns the exit code. */
  post(): Promise<number>;
}

export interface ActionOptions {
  /** The inputs of `with:` in a workflow. */
  inputs: Record<string, string>;
  /** Added to this process's environment. */
  env: Record<string, string>;
  /** Executables of the runner. Their directories come first in PATH. */
  tools: string[];
  /** An existing directory for the files of one job. */
  directory: string;
  /** Receives each line of output, including workflow commands. */
  onLine: (line: string) => void;
  /** Cancels the action. */
  signal?: AbortSignal;
  /** Options for Node.js. */
  nodeOptions?: string[];
  /** What this runner sets otherwise, e.g. GITHUB_OUTPUT. */
  runner?: Record<string, string>;
}

const Metadata = v.object({
  inputs: v.record(v.string(), v.object({ default: v.optional(v.string()) })),
  runs: v.object({ using: v.literal("node24"), main: v.string(), post: v.string() }),
});

/**
 * Runs the built action as a workflow runner does: Node 24 runs the scripts that action.yml names, with
 * INPUT_* variables for inputs and defaults, and with files for outputs, state and summary.
 *
 * @throws Error if the action can't start
 */
export async function runAction(options: ActionOptions): Promise<ActionRun> {
  const { inputs, runs } = v.parse(Metadata, parse(await readFile(join(PROJECT, "action.yml"), "utf8")));
  const files = await mkdtemp(join(options.directory, "step-"));
  const [output, state, summary] = ["output", "state", "summary"].map((name) => join(files, name));
  if (!output || !state || !summary) throw new Error("three files were named");
  for (const file of [output, state, summary]) await writeFile(file, "");
  const [temporary, toolCache] = [join(options.directory, "temp"), join(options.directory, "tools")];
  for (const folder of [temporary, toolCache]) await mkdir(folder, { recursive: true });

  const env = {
    ...options.env,
    ...inputVariables(inputs, options.inputs),
    PATH: [...options.tools.map((tool) => dirname(tool)), process.env.PATH].join(":"),
    CI: "true",
    GITHUB_ACTIONS: "true",
    GITHUB_WORKSPACE: PROJECT,
    GITHUB_OUTPUT: output,
    GITHUB_STATE: state,
    GITHUB_STEP_SUMMARY: summary,
    RUNNER_TEMP: temporary,
    RUNNER_TOOL_CACHE: toolCache,
    ...options.runner,
  };
  const node: Program = { name: "node", path: join(PROJECT, "node_modules/.bin/node") };
  const start = async (script: string, more: Record<string, string>) => {
    const { exitCode } = await run(
      { ...node, env: { ...env, ...more } },
      [...(options.nodeOptions ?? []), join(PROJECT, script)],
      {
        onLine: options.onLine,
        onErrorLine: options.onLine,
        signal: options.signal,
      },
    );
    return exitCode;
  };

  const started = performance.now();
  const exitCode = await start(runs.main, {});
  const ended = performance.now();
  return {
    exitCode,
    outputs: parseFileCommands(await readFile(output, "utf8")),
    summary: await readFile(summary, "utf8"),
    started,
    milliseconds: ended - started,
    async post() {
      const saved = Object.entries(parseFileCommands(await readFile(state, "utf8")));
      return start(runs.post, Object.fromEntries(saved.map(([name, value]) => [`STATE_${name}`, value])));
    },
  };
}

function inputVariables(
  declared: Record<string, { default?: string | undefined }>,
  given: Record<string, string>,
): Record<string, string> {
  const unknown = Object.keys(given).filter((name) => !(name in declared));
  if (unknown.length > 0) throw new Error(`action.yml has no input ${unknown.join(", ")}`);
  return Object.fromEntries(
    Object.entries(declared).map(([name, input]) => [
      `INPUT_${name.toUpperCase().replaceAll(" ", "_")}`,
      given[name] ?? input.default ?? "",
    ]),
  );
}
