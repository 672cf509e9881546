import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { getExecOutput } from "@actions/exec";
import { ActionError, CancelledError, messageOf } from "./errors.ts";

/** A program and the environment that it is started with. */
export interface Program {
  /** The name that messages use, e.g. `helm`. */
  name: string;
  /** Absolute path of the executable. */
  path: string;
  /**
   * Variables beside the action's own environment, which the program has without
   * the inputs. E.g. `KUBECONFIG`.
   */
  env?: Record<string, string>;
  /** Arguments that come before all others, e.g. `--context`. */
  leadingArgs?: string[];
}

/** The result of a program that has ended. */
export interface Output {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** How a program is run. */
export interface RunOptions {
  /** Written to standard input, which is then closed. Secrets go this way, never through `args`. */
  input?: string;
  /**
   * Called with each line of standard output as it arrives, instead of collecting the output. If it throws,
   * the program is ended and the error is thrown.
   */
  onLine?: (line: string) => void;
  /** Called with each line of standard error as it arrives. */
  onErrorLine?: (line: string) => void;
  /** Ends the program: with SIGINT if that has cancelled the job, otherwise with SIGTERM. */
  signal?: AbortSignal | undefined;
  /** If this process ends first, the program goes on. All other programs end with this process. */
  outlives?: boolean;
  /**
   * In a process group of its own: a terminal's Ctrl-C then reaches the program only through `signal`, and
   * none of the programs that it has started. Ignored on Windows, where it would open a window.
   */
  ownGroup?: boolean;
}

/** The programs that end with this process, however it ends. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill();
});

/** How long to wait for a program's last output after its end, in milliseconds. */
const LAST_OUTPUT_MS = 1000;

/**
 * Runs a program to its end and returns what it printed, whatever its exit code. Writes nothing to the log.
 * When `signal` is aborted, it passes the signal on and still waits: helm uses that time to record the
 * release as failed. Otherwise the release would stay pending.
 *
 * @throws ActionError when the program can't be started
 */
export async function run(program: Program, args: string[], options: RunOptions = {}): Promise<Output> {
  const child = spawn(program.path, [...(program.leadingArgs ?? []), ...args], {
    env: { ...withoutInputs(process.env), ...program.env },
    stdio: ["pipe", "pipe", "pipe"],
    windowsHide: true,
    detached: options.ownGroup === true && process.platform !== "win32",
  });
  const kill = () => {
    const reason: unknown = options.signal?.reason;
    // On all other signals Helm ends without recording that the upgrade failed.
    child.kill(reason instanceof CancelledError && reason.signal === "SIGINT" ? "SIGINT" : "SIGTERM");
  };
  options.signal?.addEventListener("abort", kill);
  if (!options.outlives) running.add(child);
  if (options.signal?.aborted) kill();

  const stdout: string[] = [];
  const stderr: string[] = [];
  let failure: { error: unknown } | undefined;
  const { onLine } = options;
  if (onLine) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (failure) return;
      try {
        onLine(line);
      } catch (error) {
        failure = { error };
        child.kill();
      }
    });
  } else {
    child.stdout.setEncoding("utf8").on("data", (text: string) => stdout.push(text));
  }
  createInterface({ input: child.stderr }).on("line", (line) => {
    stderr.push(line);
    options.onErrorLine?.(line);
  });
  // A wrapper script may leave a program behind that keeps these pipes open.
  child.once("exit", () => {
    if (!options.signal?.aborted) return;
    const letGo = setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    }, LAST_OUTPUT_MS);
    child.once("close", () => clearTimeout(letGo));
  });
  // A program that ends before it has read its input breaks the pipe. Its exit code says why.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");

  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, killedBy) => {
        // The program could not say so itself. A machine without memory kills, too.
        if (killedBy !== null) stderr.push(`${program.name} was killed by ${killedBy}.`);
        resolve(code ?? 1);
      });
    }).catch((error: unknown) => {
      throw notStarted(program, error);
    });
    if (failure) throw failure.error;
    return { exitCode, stdout: stdout.join(""), stderr: stderr.join("\n") };
  } finally {
    running.delete(child);
    options.signal?.removeEventListener("abort", kill);
  }
}

/**
 * Runs a short program that is a command file on Windows, such as `gcloud.cmd`. Only cmd.exe can start those,
 * and `@actions/exec` quotes the arguments for it.
 *
 * @throws Error when it can't be started
 */
export async function runCommandFile(path: string, args: string[]): Promise<Output> {
  // exec splits its first argument as a command line: the quotes keep a path with spaces whole.
  return getExecOutput(`"${path}"`, args, {
    env: withoutInputs(process.env),
    silent: true,
    ignoreReturnCode: true,
  });
}

/**
 * The runner hands inputs over as variables. Some are secrets, which plugins and
 * post-renderers have no use for.
 */
function withoutInputs(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value === undefined || /^INPUT_/i.test(name) ? [] : [[name, value]],
    ),
  );
}

function notStarted(program: Program, error: unknown): ActionError {
  return new ActionError(`${program.name} (${program.path}) could not be started.`, {
    why: messageOf(error),
    cause: error,
  });
}
