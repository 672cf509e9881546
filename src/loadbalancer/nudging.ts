import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../base/errors.ts";
import { warning } from "../base/log.ts";
import { type ControllerWarning, diagnose, LASTING_MS } from "./diagnosis/diagnosis.ts";
import type { LoadBalancerState, LoadBalancerWatch } from "./watch.ts";

/** Pauses between nudges, in milliseconds. The last one repeats. */
const NUDGES_MS = [1000, 2000, 4000, 8000, 15_000, 30_000];

/** Nudges of the controller that go on until they are stopped. */
export interface Nudging {
  stop(): void;
}

/**
 * Nudges the controller at growing intervals until stopped: it reads the backends' health only when it looks
 * at the Ingress.
 */
export function nudgeRegularly(watch: LoadBalancerWatch): Nudging {
  return startNudging(watch, async (signal, nudge) => {
    for (let attempt = 0; ; attempt += 1) {
      await delay(NUDGES_MS[Math.min(attempt, NUDGES_MS.length - 1)], undefined, { signal });
      await nudge();
    }
  });
}

/**
 * Nudges the controller once for each cause that waiting can't fix, until stopped. If the controller then
 * reports the cause again, it counts as lasting ({@link LASTING_MS}).
 *
 * On its own the controller retries an Ingress that has failed often only every 15 minutes, and a changed
 * Ingress doesn't reset that pause (kubernetes/ingress-gce, pkg/utils/taskqueue.go).
 *
 * @param limit milliseconds
 */
export function nudgeAfterCauses(watch: LoadBalancerWatch, limit: number): Nudging {
  return startNudging(watch, async (signal, nudge) => {
    let newest = 0;
    const isNew = ({ message, firstSeen }: ControllerWarning) => firstSeen > newest && diagnose(message);
    const look = ({ warnings }: LoadBalancerState) => warnings.slice(-1).find(isNew)?.firstSeen;
    for (;;) {
      newest = await watch.until(look, { limit, onLimit: () => new Error("the wait is over"), signal });
      await delay(LASTING_MS, undefined, { signal });
      await nudge();
    }
  });
}

function startNudging(
  watch: LoadBalancerWatch,
  work: (signal: AbortSignal, nudge: () => Promise<void>) => Promise<never>,
): Nudging {
  const stopped = new AbortController();
  // A failed nudge only costs time: the controller looks by itself every ten minutes.
  const nudge = () => watch.nudge().catch((error: unknown) => warning(messageOf(error)));
  // Ends when stopped, or when the watch fails; the wait itself reports that failure.
  work(stopped.signal, nudge).catch(() => {});
  return { stop: () => stopped.abort() };
}
