import { setTimeout as delay } from "node:timers/promises";
import type { EndpointHealth } from "../gke/compute-resources.ts";
import { healthOf } from "./health.ts";
import type { Obstacle } from "./traffic-obstacles.ts";
import type { LoadBalancerWatch } from "./watch.ts";

/** What a look at backends that don't get healthy has found. */
export interface Inspection {
  /** What Google's Compute Engine API says of each endpoint; undefined where it can't be asked. */
  endpoints: readonly EndpointHealth[] | undefined;
  obstacles: readonly Obstacle[];
}

/** Looks at a backend, by its name at Google. */
export type Inspect = (backend: string | undefined) => Promise<Inspection>;

/**
 * After this time backends count as unhealthy for a reason, in milliseconds. Usually they are healthy sooner.
 */
const SUSPICION_MS = 120_000;
/** Time between two looks, in milliseconds. */
const LOOK_AGAIN_MS = 60_000;

/**
 * Looks at backends that stay unhealthy, again and again until stopped. What it finds may end the wait.
 *
 * @param limit milliseconds that the wait may take
 */
export function inspectRegularly(
  watch: LoadBalancerWatch,
  inspect: Inspect,
  limit: number,
): { latest(): Inspection | undefined; stop(): void } {
  const stopped = new AbortController();
  const { signal } = stopped;
  let latest: Inspection | undefined;
  const work = async () => {
    await delay(Math.min(SUSPICION_MS, limit / 2), undefined, { signal });
    for (;;) {
      latest = await inspect(healthOf(watch.state).milvus);
      watch.lookAgain();
      await delay(LOOK_AGAIN_MS, undefined, { signal });
    }
  };
  // Ends when stopped.
  work().catch(() => {});
  return { latest: () => latest, stop: () => stopped.abort() };
}
