import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onCancellation } from "../base/cancellation.ts";
import { CancelledError, messageOf } from "../base/errors.ts";
import { withoutCommands } from "../base/log.ts";
import { type Program, run } from "../base/process.ts";
import { inputGroups } from "./action-inputs.ts";
import { type Command, readArguments } from "./arguments.ts";
import { parseFileCommands } from "./file-commands.ts";
import { helpText } from "./help.ts";
import { logView } from "./log-view.ts";
import { resultJson, resultTable } from "./result.ts";
import { screenOn } from "./screen.ts";

/** What a shell reports for a program that a signal has ended. */
const SIGNALLED: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGPIPE: 141,
  SIGTERM: 143,
};
const UNUSABLE = 2;

/**
 * Runs the action by hand: a laptop or Cloud Shell takes the runner's place. The action itself is started as
 * the runner starts it, so that both do the same.
 *
 * @param args the arguments after the program
 * @returns the exit code
 */
export async function runByHand(args: readonly string[]): Promise<number> {
  const program = await realpath(process.argv[1] ?? "");
  const groups = inputGroups(await readFile(join(dirname(program), "../action.yml"), "utf8"));
  const declared = groups.flatMap(({ inputs }) => inputs);
  let command: Command;
  try {
    command = readArguments(args, declared, process.env);
  } catch (error) {
    console.error(messageOf(error));
    return UNUSABLE;
  }
  if (command.kind === "help") {
    console.log(helpText(groups));
    return 0;
  }
  const home = await mkdtemp(join(tmpdir(), "milvus-gke-"));
  try {
    return await runAs(command, program, home);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** @param home a private folder for what a runner keeps for a job */
async function runAs(
  { inputs, output }: Extract<Command, { kind: "run" }>,
  program: string,
  home: string,
): Promise<number> {
  const cancelled = onCancellation();
  const log = logView(process.stderr);
  const screen = screenOn(process.stderr, process.env);
  const sayStep = () => {
    const cancelling = cancelled.aborted ? "Cancelling: " : "";
    screen.doing(log.step === undefined ? undefined : `${cancelling}${log.step}`);
  };
  cancelled.addEventListener("abort", sayStep);
  const show = (line: string) => {
    const shown = log.show(line);
    // A workflow may run this in a step of its own, where the runner reads what it prints.
    if (shown !== undefined) screen.print(withoutCommands(shown));
    sayStep();
  };
  const node = await nodeFor(inputs, home);
  const options = { onLine: show, onErrorLine: show, ownGroup: true };
  const { exitCode } = await run(node, [program], { ...options, signal: cancelled });
  screen.doing(undefined);

  const state = parseFileCommands(await readFile(join(home, "state"), "utf8"));
  const saved = Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]);
  const env = { ...node.env, ...Object.fromEntries(saved) };
  await run({ ...node, env }, [program], options);

  const outputs = parseFileCommands(await readFile(join(home, "output"), "utf8"));
  // The files that outputs name are for later steps of a job: they are gone when the run is over.
  const lasting = Object.entries(outputs).filter(([name]) => !name.endsWith("_file"));
  const result = output === "json" ? resultJson : resultTable;
  const text = result(Object.fromEntries(lasting));
  if (text !== "") console.log(withoutCommands(log.masked(text)));
  const { reason } = cancelled;
  return reason instanceof CancelledError ? (SIGNALLED[reason.signal] ?? 1) : exitCode;
}

/** Returns Node.js with the variables that a runner sets for a step. */
async function nodeFor(
  inputs: Record<string, string>,
  home: string,
): Promise<Program & Required<Pick<Program, "env">>> {
  const files = ["output", "state", "summary", "env", "path"];
  for (const name of files) await writeFile(join(home, name), "");
  const temporary = join(home, "temp");
  await mkdir(temporary);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return {
    name: "node",
    path: process.execPath,
    env: {
      ...Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
      ),
      GITHUB_WORKSPACE: process.cwd(),
      GITHUB_OUTPUT: join(home, "output"),
      GITHUB_STATE: join(home, "state"),
      GITHUB_STEP_SUMMARY: join(home, "summary"),
      GITHUB_ENV: join(home, "env"),
      GITHUB_PATH: join(home, "path"),
      RUNNER_TEMP: temporary,
      RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE || join(cache, "milvus-gke-load-balancer"),
    },
  };
}
