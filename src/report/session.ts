import { endGroup, startGroup } from "@actions/core";
import { formatDuration } from "../base/duration.ts";
import { info } from "../base/log.ts";
import type { RunReport } from "./run-report.ts";

/** What one run of the action has at hand. */
export interface Session {
  /** A folder that only this job's user can read and that the post step removes. */
  directory: string;
  /** The folder that relative paths start from. */
  workspace: string;
  environment: NodeJS.ProcessEnv;
  /** Aborted when the job is cancelled. */
  signal: AbortSignal;
  /** Set when credentials came by inputs: the file with them, for gcloud to authenticate with too. */
  credentialsFile?: string | undefined;
  /** Filled in as the run goes on, so that a failed run reports what it knows. */
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
