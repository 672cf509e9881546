import { CancelledError } from "./errors.ts";

/**
 * Returns a signal that is aborted when the runner cancels the job. The runner sends SIGINT, SIGTERM 7.5 seconds
 * later and SIGKILL after another 2.5, to this process only: what it has started must be told by it.
 */
export function onCancellation(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => controller.abort(new CancelledError(signal)));
  }
  return controller.signal;
}
