import { CancelledError } from "./errors.ts";

/**
 * How long to wait for running programs after a cancellation, in milliseconds. The runner sends SIGINT,
 * SIGTERM after 7.5 seconds and SIGKILL after another 2.5, and only to this process, which must pass the
 * signal on. The rest of the time is for the report.
 */
const GRACE_MS = 7000;

/** Returns a signal that is aborted when the runner cancels the job, or nobody reads its log any more. */
export function onCancellation(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => controller.abort(new CancelledError(signal)));
  }
  // Node.js ignores SIGPIPE. Without a listener it would die of the error, and leave its programs behind.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => controller.abort(new CancelledError("SIGPIPE")));
  }
  return controller.signal;
}

/** Settles as `work` does. Throws the cancellation if `work` still runs {@link GRACE_MS} after it. */
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
