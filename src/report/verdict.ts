import { formatDuration } from "../base/duration.ts";
import type { Settings } from "../inputs/settings.ts";
import { describeCounts, describeDone, hasChanges } from "./change-counts.ts";
import { endpointOf } from "./endpoint.ts";
import { type RunReport, UPGRADE } from "./run-report.ts";

/** Returns the first line of the summary: how the run ended, how long it took and how much it changed. */
export function verdictOf(report: RunReport, mode: Settings["mode"], failure: string | undefined): string {
  const { steps, plan, changes, milvusVersion, host, outcomes = {} } = report;
  const time = formatDuration(steps.reduce((sum, { duration }) => sum + duration, 0));
  const extent = [time, describeDone(report)].filter((part) => part !== "").join(", ");
  if (failure !== undefined) {
    // Steps that clean up follow the one that failed.
    const last = (steps.findLast(({ hasFailed }) => hasFailed) ?? steps.at(-1))?.name;
    const rolledBack = outcomes[UPGRADE] === "taken back" ? ", rolled back" : "";
    return last ? `Failed in step: ${last} (${time})${rolledBack}` : "Failed before the first step";
  }
  if (mode === "teardown") return plan ? `Torn down (${extent})` : "Teardown";
  if (plan && mode === "plan") {
    return hasChanges(plan) ? `Plan: ${describeCounts(plan)}` : `Nothing to change (${time})`;
  }
  if (plan && changes === 0) return `Nothing to change (${time})`;
  const endpoint = endpointOf(report);
  if (report.authentication !== undefined && endpoint) {
    return `Milvus ${milvusVersion ?? ""} answers at ${endpoint.replace(/:443$/, "")} (${extent})`;
  }
  return plan ? `Deployed (${extent})` : `Milvus behind a layer-7 load balancer${host ? `: ${host}` : ""}`;
}
