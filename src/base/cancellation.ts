import { CancelledError } from "./errors.ts";

/**
 * The runner sends SIGINT, SIGTERM 7.5 seconds later and SIGKILL after another 2.5, to this process only: what it has
 * started must be told by it. What hasn't ended after this time, in milliseconds, is left alone so that the report can
 * still be written.
 */
const GRACE_MS = 7000;

/** Returns a signal that is aborted when the runner cancels the job. */
export function onCancellation(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => controller.abort(new CancelledError(signal)));
  }
  return controller.signal;
}

/** Settles as `work` does, but at most {@link GRACE_MS} after a cancellation, which it then throws. */
export async function untilCancelled<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const cancelled = Promise.withResolvers<never>();
  const onAbort = () => {
    setTimeout(() => cancelled.reject(signal.reason), GRACE_MS).unref();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, cancelled.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
