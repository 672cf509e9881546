import { messageOf, RestartError } from "../base/errors.ts";
import { info } from "../base/log.ts";
import { LostApiServerError, ReleaseBusyError } from "../helm/error.ts";
import type { Settings } from "../inputs/settings.ts";

/** How often a run plans again because another run got in first. */
const MAX_REPLANS = 10;
/** How often a run plans again because Helm has lost the API server. */
const MAX_LOSSES = 3;

/**
 * Replans when another run got in first, and a few times when Helm has lost the API server. Waits for a
 * running one only if recover_pending is set. A plan waits for nobody.
 */
export async function replanWhenOvertaken(
  { recoverPending, mode }: Pick<Settings, "recoverPending" | "mode">,
  work: () => Promise<void>,
): Promise<void> {
  let losses = 0;
  for (let triesLeft = MAX_REPLANS; ; triesLeft -= 1) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof LostApiServerError) losses += 1;
      if (losses > MAX_LOSSES) throw error;
      const mayWait = mode === "deploy" && recoverPending !== undefined;
      const isWaitedFor = mayWait && error instanceof ReleaseBusyError;
      if (triesLeft === 0 || !(isWaitedFor || error instanceof RestartError)) throw error;
      info(messageOf(error));
    }
  }
}
