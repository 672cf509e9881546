/** How long things take; may be changed while the controllers run. All in milliseconds. */
export interface Timing {
  /** From the moment that a load balancer exists to its address in the Ingress's status. */
  addressDelayMs: number;
  /** What every insert at Google takes. */
  insertDelayMs: number;
  /** Between two syncs of an Ingress or a ManagedCertificate that nobody touches; a change counts from the next one. */
  resyncMs: number;
  /** Wait after the first failed try; it doubles with every further one. */
  backoffBaseMs: number;
  /** Between two looks at the DNS of a managed certificate that is attached and was not issued yet. */
  dnsCheckMs: number;
  /** From the look that finds a managed certificate's DNS right to its issue. */
  certificateIssueMs: number;
}

/** Google's times where they are known, and none where a local cluster need not wait. */
export const DEFAULT_TIMING: Timing = {
  addressDelayMs: 40,
  insertDelayMs: 0,
  resyncMs: 600_000,
  backoffBaseMs: 5,
  dnsCheckMs: 500,
  certificateIssueMs: 200,
};

// Within this time a delay that was changed while it was waited for is noticed.
const SLICE_MS = 50;

/** Resolves at the moment `due` (of performance.now()), asked for anew as it may change, or when aborted. */
export async function until(due: () => number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const left = due() - performance.now();
    if (left <= 0) return;
    await pause(Math.min(left, SLICE_MS), signal);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end);
  });
}
