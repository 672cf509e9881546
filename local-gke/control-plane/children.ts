import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A running program that writes to a log file of its own. */
export interface Child {
  name: string;
  /** Rejects when the program ends before it was told to; its message holds the last lines of the log. */
  died: Promise<never>;
  /** Ends the program at once and waits until it is gone. */
  kill(): Promise<void>;
}

const LOG_LINES = 10;

/** Starts a program with its output in `<directory>/<name>.log`. */
export function startChild(name: string, path: string, args: string[], directory: string): Child {
  const log = join(directory, `${name}.log`);
  const file = openSync(log, "w");
  const child = spawn(path, args, { stdio: ["ignore", file, file], cwd: directory });
  closeSync(file);

  const gone = endOf(child);
  const died = gone.then((how): never => {
    throw new Error(`${name} of this local GKE ended${how}. Its last lines:\n${lastLines(log)}`);
  });
  // Whoever waits for it sees the rejection; without this line, one after `kill` would end this process.
  died.catch(() => {});
  return {
    name,
    died,
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
    return ` before it began (${error})`;
  }
}

function lastLines(file: string): string {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return lines.slice(-LOG_LINES).join("\n");
}
