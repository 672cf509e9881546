import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A running program with its own log file. */
export interface Child {
  name: string;
  /** Rejects when the program ends. The message contains the last lines of its log. */
  died: Promise<never>;
  signal(signal: NodeJS.Signals): void;
  /** Sends SIGKILL and waits for the exit. */
  kill(): Promise<void>;
}

const LOG_LINES = 10;

/** Starts a program that writes its output to `<directory>/<name>.log`. */
export function startChild(name: string, path: string, args: string[], directory: string): Child {
  const log = join(directory, `${name}.log`);
  const file = openSync(log, "w");
  const child = spawn(path, args, { stdio: ["ignore", file, file], cwd: directory });
  closeSync(file);

  const gone = endOf(child);
  const died = gone.then((how): never => {
    throw new Error(`${name} of this local GKE ended${how}. Last lines of its log:\n${lastLines(log)}`);
  });
  // Without this line, a rejection that nobody awaits would end this process, e.g. after `kill`.
  died.catch(() => {});
  return {
    name,
    died,
    signal: (signal) => void child.kill(signal),
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

async function endOf(child: ChildProcess): Promise<string> {
  try {
    const [code, signal]: unknown[] = await once(child, "exit");
    return signal === null ? ` with exit code ${code}` : ` by ${signal}`;
  } catch (error) {
    return ` before it started (${error})`;
  }
}

function lastLines(file: string): string {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return lines.slice(-LOG_LINES).join("\n");
}
