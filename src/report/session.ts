import { endGroup, startGroup } from "@actions/core";
import { formatDuration } from "../base/duration.ts";
import type { Job } from "../base/job.ts";
import { info } from "../base/log.ts";
import type { RunReport } from "./run-report.ts";

/** One run of the action: the job that it is part of, and what it reports in the end. */
export interface Session extends Job {
  /** Filled in as the run goes on, so that a failed run reports what it has found out. */
  report: RunReport;
}

/** Runs one step of the flow in a log group of its own and records how long it took. */
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
