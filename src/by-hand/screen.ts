import { formatDuration } from "../base/duration.ts";

/** Where the log is shown. */
export interface Screen {
  /** Shows the next lines of the log. */
  print(text: string): void;
  /** Shows below the log what goes on, and for how long already. Undefined: nothing goes on. */
  doing(what: string | undefined): void;
}

/** What a screen uses of a stream. */
export type ScreenStream = Pick<NodeJS.WriteStream, "isTTY" | "columns" | "write">;

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;
/** A terminal that says no width has this one. */
const USUAL_COLUMNS = 80;
const CLEAR_LINE = "\r\x1b[2K";

/**
 * Returns the screen on a stream. On a terminal the last line is a spinner that says what goes on. Elsewhere
 * there is no spinner: a file would keep every state of it.
 */
export function screenOn(stream: ScreenStream, environment: NodeJS.ProcessEnv): Screen {
  if (!stream.isTTY || environment.TERM === "dumb") {
    return { print: (text) => void stream.write(`${text}\n`), doing: () => {} };
  }
  let current: { what: string; begun: number; ticker: NodeJS.Timeout } | undefined;
  const draw = () => {
    if (!current) return;
    const elapsed = performance.now() - current.begun;
    const frame = FRAMES[Math.floor(elapsed / FRAME_MS) % FRAMES.length];
    const text = `${frame} ${current.what} ${formatDuration(elapsed)}`;
    // A line that wraps could not be replaced.
    stream.write(`${CLEAR_LINE}${text.slice(0, (stream.columns || USUAL_COLUMNS) - 1)}`);
  };
  return {
    print(text) {
      stream.write(`${current ? CLEAR_LINE : ""}${text}\n`);
      draw();
    },
    doing(what) {
      if (what === current?.what) return;
      clearInterval(current?.ticker);
      if (current) stream.write(CLEAR_LINE);
      current = what === undefined ? undefined : { what, begun: performance.now(), ticker: ticking(draw) };
      draw();
    },
  };
}

/** Calls a function for each picture of the spinner. It keeps no program running. */
function ticking(draw: () => void): NodeJS.Timeout {
  return setInterval(draw, FRAME_MS).unref();
}
