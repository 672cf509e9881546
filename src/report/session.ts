import { endGroup, startGroup } from "@actions/core";
import { formatDuration } from "../base/duration.ts";
import type { Job } from "../base/job.ts";
import { info } from "../base/log.ts";
import type { Hop } from "./hop.ts";
import type { RunReport, StepRecord } from "./run-report.ts";

/** One run of the action: its job, and its report. */
export interface Session extends Job {
  /** Filled in as the run goes on, so that a failed run reports what it found out. */
  report: RunReport;
}

/**
 * Runs one step of the flow in its own log group. Its time is printed after the group, so that a collapsed
 * log is the timeline of the run.
 *
 * @param hop the part of the traffic's way that the step makes or checks
 */
export async function step<T>(
  { report, signal }: Session,
  name: string,
  work: () => Promise<T>,
  hop?: Hop,
): Promise<T> {
  if (signal.aborted) throw signal.reason;
  const record: StepRecord = { name, begun: Date.now(), duration: 0, hop };
  report.steps.push(record);
  startGroup(name);
  try {
    return await work();
  } catch (error) {
    record.hasFailed = true;
    throw error;
  } finally {
    record.duration = Date.now() - record.begun;
    endGroup();
    info(`${name}: ${formatDuration(record.duration)}`);
  }
}
