import { formatDuration } from "../base/duration.ts";
import type { Settings } from "../inputs/settings.ts";
import { countChanges, describeCounts, hasChanges, NO_CHANGES } from "./change-counts.ts";
import { endpointOf, type RunReport } from "./run-report.ts";

/** Returns the first line of the summary: how the run ended, and how long it took. */
export function verdictOf(report: RunReport, mode: Settings["mode"], failure: string | undefined): string {
  const { steps, plan, changes, milvusVersion, host } = report;
  const time = formatDuration(steps.reduce((sum, { duration }) => sum + duration, 0));
  const last = steps.at(-1)?.name;
  const { create, change, delete: deleted } = plan ? countChanges(plan) : NO_CHANGES;
  const total = Math.max(create + change + deleted, changes > 0 ? 1 : 0);
  const count = `${total} ${total === 1 ? "change" : "changes"}`;
  if (failure !== undefined)
    return last ? `Failed in step: ${last} (${time})` : "Failed before the first step";
  if (mode === "teardown") return plan ? `Torn down (${time}, ${count})` : "Teardown";
  if (plan && mode === "plan") {
    return hasChanges(plan) ? `Plan: ${describeCounts(plan)}` : `Nothing to change (${time})`;
  }
  if (plan && changes === 0) return `Nothing to change (${time})`;
  const endpoint = endpointOf(report);
  if (report.authentication !== undefined && endpoint) {
    return `Milvus ${milvusVersion ?? ""} answers at ${endpoint.replace(/:443$/, "")} (${time}, ${count})`;
  }
  return plan
    ? `Deployed (${time}, ${count})`
    : `Milvus behind a layer-7 load balancer${host ? `: ${host}` : ""}`;
}
