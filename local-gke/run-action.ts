import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { parse } from "yaml";
import { type Program, stream } from "../src/base/process.ts";

/** Folder of the action: the one with action.yml. */
export const PROJECT = join(import.meta.dirname, "..");

export interface ActionRun {
  exitCode: number;
  outputs: Record<string, string>;
  /** What it wrote to the job summary (Markdown). */
  summary: string;
  /** When it was started, by performance.now(). */
  started: number;
  /** From its start to its end. */
  milliseconds: number;
  /** Runs its post step, which a runner does when the job's other steps have ended; returns the exit code. */
  post(): Promise<number>;
}

export interface ActionOptions {
  /** What a workflow has below `with:`. */
  inputs: Record<string, string>;
  /** Laid over this process's own environment. */
  env: Record<string, string>;
  /** Executables that the runner has: their folders come first in PATH. */
  tools: string[];
  /** An existing folder for all that a runner keeps for one job. */
  directory: string;
  /** Called with each line that it prints, workflow commands included. */
  onLine: (line: string) => void;
  /** Cancels it. */
  signal?: AbortSignal;
  /** Options for Node.js itself. */
  nodeOptions?: string[];
}

const Metadata = v.object({
  inputs: v.record(v.string(), v.object({ default: v.optional(v.string()) })),
  runs: v.object({ using: v.literal("node24"), main: v.string(), post: v.string() }),
});

/**
 * Runs the built action as a workflow runner starts it: Node 24 on what action.yml names, the inputs with their
 * defaults as INPUT_*, and files for outputs, state and summary.
 *
 * @throws Error when it can't be started
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
  };
  const node: Program = { name: "node", path: join(PROJECT, "node_modules/.bin/node") };
  const start = async (script: string, more: Record<string, string>) => {
    const { exitCode } = await stream(
      { ...node, env: { ...env, ...more } },
      [...(options.nodeOptions ?? []), join(PROJECT, script)],
      {
        onLine: options.onLine,
        onErrorLine: options.onLine,
        ...(options.signal && { signal: options.signal }),
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

/**
 * Returns what a step has written to GITHUB_OUTPUT or GITHUB_STATE.
 *
 * @throws Error when it can't be read
 */
export function parseFileCommands(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  const lines = text.split("\n");
  for (let line = lines.shift(); line; line = lines.shift()) {
    const [, name, delimiter] = /^(.+?)<<(.+)$/.exec(line) ?? [];
    const end = delimiter === undefined ? -1 : lines.indexOf(delimiter);
    if (name === undefined || end < 0) throw new Error(`"${line}" begins no value`);
    values[name] = lines.splice(0, end).join("\n");
    lines.shift();
  }
  return values;
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
