/** Delays in milliseconds. They may change while the controllers run. */
export interface Timing {
  /** From the creation of a load balancer to its address in the Ingress's status. */
  addressDelayMs: number;
  /** Duration of each insert at Google. */
  insertDelayMs: number;
  /**
   * Between two syncs of an unchanged Ingress or ManagedCertificate. A new value applies after the next one.
   */
  resyncMs: number;
  /** Delay after the first failure. It doubles with each further failure. */
  backoffBaseMs: number;
  /** How long a pod may wait for the load balancer's health check before its readiness gate opens anyway. */
  readinessGateMs: number;
  /** From a pod's event TriggeredScaleUp to its node. */
  nodeProvisionMs: number;
  /** Between two DNS checks of an attached managed certificate that is not yet issued. */
  dnsCheckMs: number;
  /** From the successful DNS check of a managed certificate to its issue. */
  certificateIssueMs: number;
  /** From the issue of a managed certificate, when it is Active, until load balancers present it. */
  certificatePresentMs: number;
  /** From the creation of a load balancer until it presents certificates. */
  frontendProgramMs: number;
}

/** Google's values where the wait matters, otherwise short ones. */
export const DEFAULT_TIMING: Timing = {
  addressDelayMs: 40,
  insertDelayMs: 0,
  resyncMs: 600_000,
  backoffBaseMs: 5,
  readinessGateMs: 600_000,
  nodeProvisionMs: 500,
  dnsCheckMs: 500,
  certificateIssueMs: 200,
  certificatePresentMs: 0,
  frontendProgramMs: 0,
};

// A wait notices a changed delay within this time.
const SLICE_MS = 50;

/** Waits until `due`, by performance.now(), or until it is aborted. `due` may change during the wait. */
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
