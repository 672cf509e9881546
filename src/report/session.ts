import { endGroup, startGroup } from "@actions/core";
import { formatDuration } from "../base/duration.ts";
import type { Job } from "../base/job.ts";
import { info } from "../base/log.ts";
import type { RunReport } from "./run-report.ts";

/** One run of the action: its job, and its report. */
export interface Session extends Job {
  /** Filled in as the run goes on, so that a failed run reports what it found out. */
  report: RunReport;
}

/** Runs one step of the flow in its own log group and records its duration. */
export async function step<T>({ report, signal }: Session, name: string, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw signal.reason;
  const record = { name, duration: 0 };
  report.steps.push(record);
  const started = Date.now();
  startGroup(name);
  try {
    return await work();
  } finally {
    record.duration = Date.now() - started;
    info(`${name}: ${formatDuration(record.duration)}`);
    endGroup();
  }
}
