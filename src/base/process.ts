import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { getExecOutput } from "@actions/exec";
import { ActionError, CancelledError, messageOf } from "./errors.ts";

/** A program and the environment that it is started with. */
export interface Program {
  /** The name that messages use, e.g. `helm`. */
  name: string;
  /** Absolute path of the executable. */
  path: string;
  /** Variables laid over the action's own environment, e.g. `KUBECONFIG`. */
  env?: Record<string, string>;
  /** Arguments put before all others, e.g. `--context`. */
  leadingArgs?: string[];
}

/** What a program that has ended left behind. */
export interface Output {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Written to standard input, which is then closed. Secrets go this way, never through `args`. */
  input?: string;
}

export interface StreamOptions extends RunOptions {
  /** Called with each line of standard output as it arrives. What it throws ends the program and is thrown. */
  onLine?: (line: string) => void;
  /** Called with each line of standard error as it arrives. */
  onErrorLine?: (line: string) => void;
  /** Ends the program: it is sent the runner's own signal on a cancellation, otherwise SIGTERM. */
  signal?: AbortSignal;
}

/** How long what a program has written last may take to arrive once it has been ended, in milliseconds. */
const LAST_WORDS_MS = 1000;

/**
 * Runs a short program to its end and returns what it printed, whatever its exit code. Nothing is written to
 * the log. For programs that end by themselves within seconds; see {@link stream} for the others.
 *
 * @throws ActionError when the program can't be started
 */
export async function run(program: Program, args: string[], options: RunOptions = {}): Promise<Output> {
  // exec minds no broken pipe: a program that ends before it has read its input would end this process too.
  if (options.input !== undefined) return stream(program, args, options);
  try {
    // exec splits its first argument as a command line: the quotes keep a path with spaces whole.
    const output = await getExecOutput(`"${program.path}"`, [...(program.leadingArgs ?? []), ...args], {
      silent: true,
      ignoreReturnCode: true,
      env: environment(program),
    });
    // The exit code of a program that a signal has ended is null, whatever exec's types say.
    return { ...output, exitCode: output.exitCode ?? 1 };
  } catch (error) {
    throw notStarted(program, error);
  }
}

/**
 * Runs a program that takes long, handing over its lines as they come, and returns what it printed once it has
 * ended. When `signal` is aborted the program is told and still waited for: helm uses that time to record
 * the release as failed, without which the release would stay pending.
 *
 * @throws ActionError when the program can't be started
 */
export async function stream(program: Program, args: string[], options: StreamOptions): Promise<Output> {
  const child = spawn(program.path, [...(program.leadingArgs ?? []), ...args], {
    env: environment(program),
    stdio: ["pipe", "pipe", "pipe"],
    windowsHide: true,
  });
  const kill = () => {
    const reason: unknown = options.signal?.reason;
    child.kill(reason instanceof CancelledError ? reason.signal : "SIGTERM");
  };
  options.signal?.addEventListener("abort", kill);
  if (options.signal?.aborted) kill();

  const stdout: string[] = [];
  const stderr: string[] = [];
  let failure: { error: unknown } | undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!options.onLine) stdout.push(line);
    else if (!failure) {
      try {
        options.onLine(line);
      } catch (error) {
        failure = { error };
        child.kill();
      }
    }
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    stderr.push(line);
    options.onErrorLine?.(line);
  });
  // A wrapper script may leave a program behind that holds these pipes open.
  child.once("exit", () => {
    if (!options.signal?.aborted) return;
    const letGo = setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    }, LAST_WORDS_MS);
    child.once("close", () => clearTimeout(letGo));
  });
  // A program that ends before it has read its input closes the pipe; its exit code tells why.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");

  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code ?? 1));
    }).catch((error: unknown) => {
      throw notStarted(program, error);
    });
    if (failure) throw failure.error;
    return { exitCode, stdout: stdout.join("\n"), stderr: stderr.join("\n") };
  } finally {
    options.signal?.removeEventListener("abort", kill);
  }
}

function environment(program: Program): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) inherited[name] = value;
  return { ...inherited, ...program.env };
}

function notStarted(program: Program, error: unknown): ActionError {
  return new ActionError(`${program.name} (${program.path}) could not be started.`, {
    why: messageOf(error),
    cause: error,
  });
}
