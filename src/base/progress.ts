import { formatDuration } from "./duration.ts";
import { info } from "./log.ts";

const INTERVAL_MS = 30_000;

/**
 * Runs `work`, and logs every 30 seconds what it waits for.
 *
 * @param describe returns one line about what is still missing now
 */
export async function withProgress<T>(
  describe: () => string | Promise<string>,
  work: () => Promise<T>,
): Promise<T> {
  const started = Date.now();
  const timer = setInterval(async () => {
    const line = await describe();
    info(`${formatDuration(Date.now() - started)}: ${line}`);
  }, INTERVAL_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
