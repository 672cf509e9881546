/** Logs one line of progress. */
export interface Say {
  (line: string): void;
  /** Shows a line that replaces the one before; "" removes it. Only a terminal can do that. */
  status?: (text: string) => void;
}

const EVERY_MS = 15_000;
const EVERY_MS_ON_A_TERMINAL = 1_000;
const CLEAR_LINE = "\r\x1b[2K";

/** Standard output belongs to what a command prints for others to read. */
export const sayOnStderr = sayOn(process.stderr);

/** Writes progress to a stream. On a terminal the status stays below the lines. */
export function sayOn(stream: Pick<NodeJS.WriteStream, "isTTY" | "columns" | "write">): Say {
  if (!stream.isTTY) return (line) => void stream.write(`${line}\n`);
  let status = "";
  const say: Say = (line) => {
    stream.write(status === "" ? `${line}\n` : `${CLEAR_LINE}${line}\n${status}`);
  };
  say.status = (text) => {
    // A status that wraps could not be replaced.
    status = text.slice(0, stream.columns - 1);
    stream.write(`${CLEAR_LINE}${status}`);
  };
  return say;
}

/** Runs `work`. Logs its start, its duration so far every 15 s, and its total duration. */
export async function timed(what: string, say: Say, work: () => Promise<void>): Promise<void> {
  const start = performance.now();
  const seconds = () => `${Math.round((performance.now() - start) / 1000)} s`;
  say(what);
  const ticker = setInterval(() => say(`${what} (${seconds()})`), EVERY_MS);
  try {
    await work();
  } finally {
    clearInterval(ticker);
  }
  say(`${what}: done in ${seconds()}`);
}

/**
 * Shows how a piece of work goes on: every second in one line of a terminal,
 * elsewhere every 15 s in a new line.
 */
export async function showing<T>(progress: () => string, say: Say, work: () => Promise<T>): Promise<T> {
  const { status } = say;
  const ticker = status
    ? setInterval(() => status(progress()), EVERY_MS_ON_A_TERMINAL)
    : setInterval(() => say(progress()), EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(ticker);
    status?.("");
  }
}
