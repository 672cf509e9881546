import { formatDuration } from "./duration.ts";
import { info } from "./log.ts";

const INTERVAL_MS = 30_000;
/** How long nothing is logged while nothing changes, in milliseconds. */
const QUIET_MS = 120_000;

/** The last line about a wait. */
export interface ShownLine {
  text: string;
  /** Milliseconds from the beginning of the wait. */
  at: number;
}

/**
 * Returns the next line about a wait: what has changed, or after a while that nothing has. Undefined if there
 * is nothing to say.
 *
 * @param text what is missing now
 * @param elapsed milliseconds from the beginning of the wait
 * @param limit milliseconds; undefined if the wait has none of its own
 */
export function progressLine(
  shown: ShownLine | undefined,
  text: string,
  elapsed: number,
  limit: number | undefined,
): string | undefined {
  const time = `${formatDuration(elapsed)}${limit === undefined ? "" : ` of ${formatDuration(limit)}`}`;
  if (text !== shown?.text) return `${time}: ${text}`;
  return elapsed - shown.at >= QUIET_MS ? `${time}: nothing has changed.` : undefined;
}

/**
 * Runs `work`, and logs what it waits for: after 30 seconds if that has changed, else after two minutes.
 * Counts the time in which this machine was awake, whatever happens to its clock.
 *
 * @param describe returns one line about what is still missing now
 * @param limit milliseconds after which `work` gives up, for the log
 */
export async function withProgress<T>(
  describe: () => string | Promise<string>,
  work: () => Promise<T>,
  limit?: number,
): Promise<T> {
  const started = performance.now();
  let shown: ShownLine | undefined;
  const timer = setInterval(async () => {
    const text = await describe();
    const at = performance.now() - started;
    const line = progressLine(shown, text, at, limit);
    if (line === undefined) return;
    info(line);
    shown = { text, at };
  }, INTERVAL_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
